#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>

#include "audit/prune.h"
#include "audit/sink_state.h"
#include "audit/store.h"
#include "audit/writer.h"
#include "base/unique_fd.h"
#include "secrets/http/scripted_client.h"
#include "ship/datagram_sink.h"
#include "ship/otlp_json.h"
#include "ship/otlp_protobuf.h"
#include "ship/shipper.h"
#include "ship/target.h"

namespace casemate::ship {
namespace {

using secrets::HttpResponse;
using secrets::ScriptedClient;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

constexpr const char* kTrace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

Record Make(std::int64_t seq, const std::string& more = R"("status":"ok")") {
  audit::Link last{seq - 1, std::string(audit::kHashDigits, '0')};
  std::string line = audit::Seal(
      fmt::format(R"({{"kind":"outcome","time":"2026-11-21T14:00:00.000000Z","id":"run-{}",{})", seq, more),
      last);
  line.pop_back();
  auto record = ReadRecord(line);
  EXPECT_TRUE(record) << line;
  return *std::move(record);
}

std::string Refusal(std::string_view target) {
  const auto parsed = ParseTarget(target);
  return parsed ? "" : parsed.error().message;
}

TEST(TargetTest, ReadsWhatPeopleWrite) {
  EXPECT_EQ(ParseTarget("syslog")->text, "syslog:/dev/log");
  EXPECT_EQ(ParseTarget("journald")->place, "/run/systemd/journal/socket");
  EXPECT_EQ(ParseTarget("otlp:http://h:4318/")->place, "http://h:4318/v1/logs");
  EXPECT_EQ(ParseTarget("otlp-traces:https://h/x/v1/traces")->place, "https://h/x/v1/traces");
  EXPECT_EQ(ParseTarget("otlp:http://h")->name, ParseTarget("otlp:http://h/v1/logs")->name);
  EXPECT_NE(ParseTarget("otlp:http://h")->name, ParseTarget("otlp:http://g")->name);
  EXPECT_THAT(Refusal("kafka:x"), HasSubstr("no sink"));
  EXPECT_THAT(Refusal("syslog:x"), HasSubstr("no socket's path"));
  EXPECT_THAT(Refusal("otlp:"), HasSubstr("no collector's address"));
  EXPECT_THAT(Refusal("otlp:http://u:p@h"),
              AllOf(HasSubstr("OTEL_EXPORTER_OTLP_HEADERS"), Not(HasSubstr("u:p"))));
}

TEST(TargetTest, ReadsHeadersOfOpenTelemetry) {
  const auto options = CollectorOptionsOf([](const char* name) -> const char* {
    return std::strcmp(name, "OTEL_EXPORTER_OTLP_HEADERS") == 0 ? "a=b%20c, api-key=k=1" : nullptr;
  });
  ASSERT_TRUE(options);
  EXPECT_THAT(options->headers, ElementsAre("a: b c", "api-key: k=1"));
  for (const char* bad : {"nothing", "a=%0d%0aevil: 1", "a=%zz", "=x"}) {
    static const char* given = nullptr;
    given = bad;
    EXPECT_FALSE(CollectorOptionsOf([](const char* name) -> const char* {
      return std::strcmp(name, "OTEL_EXPORTER_OTLP_HEADERS") == 0 ? given : nullptr;
    })) << bad;
  }
}

TEST(DatagramTest, WritesFieldsOfSeveralLinesWithTheirSize) {
  const std::string message = JournalMessage(Make(7, R"("status":"ok","caller":"a\nFORGED=1")"));
  EXPECT_THAT(message, StartsWith("MESSAGE={\"kind\""));
  EXPECT_THAT(message, HasSubstr(std::string("CASEMATE_CALLER\n\x0a\0\0\0\0\0\0\0a\nFORGED=1\n", 35)));
  EXPECT_THAT(message, HasSubstr("\nCASEMATE_SEQ=7\n"));
}

TEST(DatagramTest, CutsWhatIsTooLargeForSyslog) {
  bool shortened = false;
  EXPECT_THAT(SyslogMessage(Make(1), shortened), StartsWith("<86>"));
  EXPECT_FALSE(shortened);
  const std::string message =
      SyslogMessage(Make(2, fmt::format(R"("status":"denied","x":"{}")", std::string(9000, 'x'))), shortened);
  EXPECT_TRUE(shortened);
  EXPECT_THAT(message, AllOf(StartsWith("<84>"), HasSubstr("\"seq\":2"), SizeIs(testing::Lt(1000U))));
}

TEST(OtlpTest, LaysStepsOneBehindTheOther) {
  const std::array records = {
      Make(1,
           fmt::format(
               R"("status":"ok","trace_parent":"{}","timings_us":{{"plan":100,"run":500,"python.run":900}})",
               kTrace)),
      Make(2,
           R"("status":"error","trace_parent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")")};
  const std::string spans = EncodeSpans(records, "h");
  EXPECT_THAT(spans, HasSubstr(R"("parentSpanId":"b7ad6b7169203331","name":"casemate.run","kind":2)"));
  // 600 us before 14:00:00; the interpreter's own word is held to its step.
  EXPECT_THAT(
      spans,
      HasSubstr(R"("startTimeUnixNano":"1795269599999400000","endTimeUnixNano":"1795269600000000000")"));
  EXPECT_THAT(spans, HasSubstr(R"("name":"python.run","kind":1,"startTimeUnixNano":"1795269599999500000")"));
  EXPECT_THAT(spans, Not(HasSubstr("run-2")));
  EXPECT_EQ(EncodeSpans(std::span(records).subspan(1), "h"), "");
}

TEST(OtlpTest, SaysTheSameInProtobuf) {
  using namespace std::string_literals;
  EXPECT_EQ(ProtobufOf(R"({"resourceLogs":[{"scopeLogs":[{"logRecords":[
      {"timeUnixNano":"1","severityNumber":300,"traceId":"0a0b","attributes":[{"key":"k","value":{"intValue":"-1"}}],
       "unknown":1}]}]}]})"),
            // resource_logs { scope_logs { log_records { ... } } }
            "\x0a\x26\x12\x24\x12\x22"s + "\x09\x01\0\0\0\0\0\0\0"s + "\x10\xac\x02"s +
                // attributes { key: "k" value { int_value: -1 } }
                "\x32\x10\x0a\x01k\x12\x0b\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s +
                "\x4a\x02\x0a\x0b"s);
  EXPECT_EQ(ProtobufOf("no JSON"), "");
}

TEST(OtlpTest, ReadsWhatACollectorSaysInProtobuf) {
  using namespace std::string_literals;
  const PartialSuccess partial = ReadPartialSuccessProtobuf("\x0a\x09\x08\x03\x12\x05later"s);
  EXPECT_EQ(partial.rejected, 3);
  EXPECT_EQ(partial.message, "later");
  for (const std::string& bytes :
       {""s, "\x0a"s, "\x0a\xff\xff\xff\xff\x0f"s, std::string(40, '\xff'), "\x0b"s})
    EXPECT_EQ(ReadPartialSuccessProtobuf(bytes).rejected, 0);
}

TEST(OtlpTest, ReadsWhatACollectorSays) {
  EXPECT_EQ(ReadPartialSuccess("").rejected, 0);
  EXPECT_EQ(ReadPartialSuccess("{}").rejected, 0);
  EXPECT_EQ(ReadPartialSuccess(R"({"partialSuccess":[]})").rejected, 0);
  EXPECT_EQ(ReadPartialSuccess(R"({"partialSuccess":{"rejectedSpans":-4}})").rejected, 0);
  const auto told =
      ReadPartialSuccess(R"({"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"old"}})");
  EXPECT_EQ(told.rejected, 3);
  EXPECT_EQ(told.message, "old");
}

TEST(OtlpTest, AsksAgainOnlyWhatMayBeTakenLater) {
  ScriptedClient client({HttpResponse{503, {{"retry-after", "7"}}, ""}, HttpResponse{401, {}, ""}});
  const auto sink = MakeSink(*ParseTarget("otlp:http://h"), {}, client);
  const std::array records = {Make(1), Make(2)};
  Delivery delivery = sink->Send(records);
  EXPECT_EQ(delivery.done, 0U);
  EXPECT_EQ(delivery.retry_after_ms, 7000);
  delivery = sink->Send(records);
  EXPECT_THAT(delivery.trouble, HasSubstr("OTEL_EXPORTER_OTLP_HEADERS"));
  delivery = sink->Send(records);
  EXPECT_THAT(delivery.trouble, HasSubstr("cannot be reached"));
  EXPECT_EQ(client.asked[0].url, "http://h/v1/logs");
}

TEST(OtlpTest, FindsTheOneRecordThatIsRefused) {
  ScriptedClient client({HttpResponse{413, {}, ""}, HttpResponse{200, {}, ""},
                         HttpResponse{400, {}, "no\x01"}, HttpResponse{200, {}, ""},
                         HttpResponse{200, {}, ""}});
  const auto sink = MakeSink(*ParseTarget("otlp:http://h"), {}, client);
  const std::array records = {Make(1), Make(2)};
  const Delivery delivery = sink->Send(records);
  EXPECT_EQ(delivery.done, 2U);
  EXPECT_EQ(delivery.lost, 1U);
  EXPECT_THAT(delivery.trouble, HasSubstr("refused record 2 with 400: no "));
}

// Takes as many as it is told to.
class ScriptedSink : public Sink {
 public:
  explicit ScriptedSink(std::vector<std::int64_t>& taken, std::size_t& room) : taken_(taken), room_(room) {}
  Delivery Send(std::span<const Record> records) override {
    Delivery delivery;
    for (const Record& record : records) {
      if (room_ == 0) {
        delivery.trouble = "is full";
        break;
      }
      --room_;
      taken_.push_back(record.seq);
      ++delivery.done;
    }
    return delivery;
  }

 private:
  std::vector<std::int64_t>& taken_;
  std::size_t& room_;
};

class ShipperTest : public testing::Test {
 protected:
  ShipperTest() {
    std::string name = testing::TempDir() + "/ship-XXXXXX";
    state_dir_ = mkdtemp(name.data());
    folder_ = audit::LogFolder(state_dir_);
  }
  ~ShipperTest() override { std::filesystem::remove_all(state_dir_); }

  void Append(audit::Writer& writer, int count) {
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(writer.Append(
          {fmt::format(R"({{"kind":"intent","time":"2026-11-21T14:00:00.000000Z","id":"{}")", ++id_)}));
    }
  }
  std::unique_ptr<Shipper> Open() {
    auto shipper =
        Shipper::Make(folder_, *ParseTarget("syslog"), std::make_unique<ScriptedSink>(taken_, room_),
                      [this](bool /*bad*/, const std::string& sentence) { told_.push_back(sentence); });
    EXPECT_TRUE(shipper) << shipper.error().message;
    return shipper ? *std::move(shipper) : nullptr;
  }
  static Shipper::Step Next(Shipper& shipper) {
    const auto step = shipper.Next();
    EXPECT_TRUE(step) << step.error().message;
    return step.value_or(Shipper::Step::kIdle);
  }
  static std::vector<std::int64_t> Count(std::int64_t from, std::int64_t to) {
    std::vector<std::int64_t> all;
    for (std::int64_t i = from; i <= to; ++i) all.push_back(i);
    return all;
  }

  std::string state_dir_;
  std::string folder_;
  std::vector<std::int64_t> taken_;
  std::size_t room_ = 1000;
  std::vector<std::string> told_;
  int id_ = 0;
};

TEST_F(ShipperTest, GoesOnWhereItWas) {
  audit::Writer writer({.state_dir = state_dir_, .segment_bytes_max = 600});
  Append(writer, 9);  // behind the record of the log's beginning
  room_ = 4;
  {
    const auto shipper = Open();
    EXPECT_EQ(Next(*shipper), Shipper::Step::kSent);
    EXPECT_EQ(Next(*shipper), Shipper::Step::kWaiting);
    EXPECT_GE(shipper->wait_ms(), 250);
    EXPECT_EQ(shipper->state().trouble, "is full");
    EXPECT_THAT(told_, SizeIs(1));
  }
  room_ = 1000;
  const auto shipper = Open();
  EXPECT_EQ(Next(*shipper), Shipper::Step::kSent);
  EXPECT_EQ(Next(*shipper), Shipper::Step::kIdle);
  EXPECT_EQ(taken_, Count(1, 10));
  Append(writer, 1);
  EXPECT_EQ(Next(*shipper), Shipper::Step::kSent);
  EXPECT_EQ(taken_, Count(1, 11));
  EXPECT_EQ(shipper->state().lost, 0);
  EXPECT_EQ(
      audit::ReadSinkState(folder_, shipper->state().target.empty() ? "" : ParseTarget("syslog")->name)->sent,
      11);
}

TEST_F(ShipperTest, CountsWhatWasPrunedBeforeItsTurn) {
  audit::Writer writer({.state_dir = state_dir_, .segment_bytes_max = 600});
  Append(writer, 3);
  room_ = 1;
  ASSERT_EQ(Next(*Open()), Shipper::Step::kSent);
  Append(writer, 20);
  const auto pruned = audit::Prune(folder_, {.bytes_max = 1}, writer);
  ASSERT_TRUE(pruned);
  room_ = 1000;
  const auto shipper = Open();
  while (Next(*shipper) == Shipper::Step::kSent) {
  }
  const audit::SinkState& state = shipper->state();
  EXPECT_EQ(state.lost, pruned->through_seq - 1);
  EXPECT_EQ(state.sent + state.lost, state.seq);
  EXPECT_THAT(told_, testing::Contains(HasSubstr("were pruned before they were sent")));
}

TEST_F(ShipperTest, ANewSinkBeginsWithWhatThereIs) {
  audit::Writer writer({.state_dir = state_dir_, .segment_bytes_max = 600});
  Append(writer, 20);
  ASSERT_TRUE(audit::Prune(folder_, {.bytes_max = 1}, writer));
  const auto shipper = Open();
  while (Next(*shipper) == Shipper::Step::kSent) {
  }
  EXPECT_EQ(shipper->state().lost, 0);
  EXPECT_GT(taken_.front(), 1);
}

TEST_F(ShipperTest, OneAtATimeAndTheLogThatItFollowed) {
  {
    audit::Writer writer({.state_dir = state_dir_});
    Append(writer, 5);
    const auto shipper = Open();
    EXPECT_EQ(Next(*shipper), Shipper::Step::kSent);
    EXPECT_FALSE(Shipper::Make(folder_, *ParseTarget("syslog"), nullptr, nullptr));
  }
  // Made anew: the sink would take its first records for old ones.
  for (const char* name : {"/head", "/00000001.jsonl"}) std::filesystem::remove(folder_ + name);
  audit::Writer writer({.state_dir = state_dir_});
  Append(writer, 1);
  const auto step = Open()->Next();
  ASSERT_FALSE(step);
  EXPECT_THAT(step.error().message, HasSubstr("made anew"));
}

}  // namespace
}  // namespace casemate::ship
