#include "runtime/python_program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/json.h"
#include "model/json_value.h"
#include "runtime/frame.h"

namespace casemate {
namespace {

using ::testing::ElementsAre;

constexpr FrameLimit kRequestLimits[] = {{FrameType::kOptions, 1 << 16},
                                         {FrameType::kCode, 1 << 16},
                                         {FrameType::kInput, 1 << 16},
                                         {FrameType::kGo, 0}};

std::vector<Frame> Frames(const std::string& bytes) {
  FrameReader reader(kRequestLimits, 1 << 20);
  std::vector<Frame> frames;
  EXPECT_FALSE(reader.Feed(bytes, frames));
  EXPECT_FALSE(reader.Finish());
  return frames;
}

EnvironmentView Environment() {
  return {.name = "host",
          .python = "/usr/bin/python3",
          .read_only_paths = {},
          .symlinks = {},
          .sys_path = {"/usr/lib/python3.11", "/opt/\"q\""}};
}

ExecutionRequest Request(std::string code) {
  ExecutionRequest request;
  request.code = std::move(code);
  return request;
}

TEST(PythonProgramTest, StartsTheHarnessWithTheChannelsNumbers) {
  const auto program =
      MakePythonProgram(Request("x = 1"), Environment(), Limits{}, nullptr, {{"/casemate/harness.pyc", "H"}});
  ASSERT_TRUE(program);
  EXPECT_THAT(program->argv,
              ElementsAre("/usr/bin/python3", "-I", "-S", "/casemate/harness.pyc", "1100", "1101"));
  ASSERT_EQ(program->root_files.size(), 2U);
  EXPECT_EQ(program->root_files[0].bytes, "H");
  EXPECT_EQ(program->root_files[1].path, "/code/main.py");
  EXPECT_EQ(program->root_files[1].bytes, "x = 1");
}

TEST(PythonProgramTest, SendsOptionsCodeInputAndGo) {
  ExecutionRequest request = Request("result = 'é'");
  request.code_name = "a \"b\".py";
  request.args = {"-x", "bad\xff", "\x01"};
  Limits limits;
  limits.result_bytes_max = 77;
  limits.result_depth_max = 7;
  limits.displays_bytes_max = 0;
  const auto input = ParseJson("[null, 1e3]");
  ASSERT_TRUE(input);
  const auto program =
      MakePythonProgram(request, Environment(), limits, &*input, {{"/casemate/harness.py", "H"}});
  ASSERT_TRUE(program);
  const std::vector<Frame> frames = Frames(program->request_bytes);
  ASSERT_EQ(frames.size(), 4U);
  EXPECT_EQ(frames[1], (Frame{FrameType::kCode, "result = 'é'"}));
  EXPECT_EQ(frames[2], (Frame{FrameType::kInput, "[null,1e3]"}));
  EXPECT_EQ(frames[3], (Frame{FrameType::kGo, ""}));
  EXPECT_EQ(frames[0].type, FrameType::kOptions);
  const auto options = ParseBoundedValue(frames[0].payload, {});
  ASSERT_TRUE(options) << frames[0].payload;
  const auto& object = options->get_object();
  EXPECT_EQ(object.at("filename").get_string(), "/code/a \"b\".py");
  EXPECT_EQ(object.at("argv").get_array().size(), 4U);
  EXPECT_EQ(object.at("argv").get_array()[0].get_string(), "a \"b\".py");
  EXPECT_EQ(object.at("argv").get_array()[2].get_string(), "bad\xEF\xBF\xBD");
  EXPECT_EQ(object.at("argv").get_array()[3].get_string(), "\x01");
  EXPECT_EQ(object.at("sys_path").get_array()[1].get_string(), "/opt/\"q\"");
  EXPECT_EQ(object.at("result_bytes_max").get_int64(), 77);
  EXPECT_EQ(object.at("result_depth_max").get_int64(), 7);
  EXPECT_EQ(object.at("displays_bytes_max").get_int64(), 0);
}

TEST(PythonProgramTest, SendsNoInputFrameWithoutInput) {
  const auto program =
      MakePythonProgram(Request(""), Environment(), Limits{}, nullptr, {{"/casemate/harness.py", "H"}});
  ASSERT_TRUE(program);
  EXPECT_EQ(Frames(program->request_bytes).size(), 3U);
}

TEST(PythonProgramTest, RefusesCodeNamesThatAreNotFileNames) {
  for (const std::string& name : {std::string(""), std::string("."), std::string(".."), std::string("a/b"),
                                  std::string("a\0b", 3), std::string(256, 'x')}) {
    ExecutionRequest request = Request("");
    request.code_name = name;
    const auto program =
        MakePythonProgram(request, Environment(), Limits{}, nullptr, {{"/casemate/harness.py", "H"}});
    ASSERT_FALSE(program) << name;
    EXPECT_EQ(program.error().code, ErrorCode::kInvalidRequest);
  }
}

}  // namespace
}  // namespace casemate
