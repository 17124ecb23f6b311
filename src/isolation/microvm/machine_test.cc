#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/file.h"
#include "isolation/microvm/admission.h"
#include "isolation/microvm/cpio.h"
#include "isolation/microvm/guest_kernel.h"
#include "isolation/microvm/image_cache.h"
#include "isolation/microvm/qemu.h"

namespace casemate::microvm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(MachineTest, HasRoomForTheLimitAndTheKernelInSteps) {
  Limits limits;
  limits.memory_bytes = 100 * kMiB;
  limits.cpus = 1.5;
  const Machine machine = MachineFor(limits, Accelerator::kTcg, 8);
  EXPECT_EQ(machine.memory_bytes, 256 * kMiB);
  EXPECT_EQ(machine.processors, 2);
  limits.memory_bytes = 120 * kMiB;
  EXPECT_EQ(MachineFor(limits, Accelerator::kTcg, 1).memory_bytes, 256 * kMiB);
  EXPECT_EQ(MachineFor(limits, Accelerator::kTcg, 1).processors, 1);
}

TEST(MachineTest, HasNoNetworkDeviceAndNoWritableDisk) {
  const auto words = MachineWords("qemu", {Accelerator::kTcg, 256 * kMiB, 1}, {"k", "i", "r"});
  for (const std::string& word : words) {
    EXPECT_EQ(word.find("net"), std::string::npos) << word;
    if (word.find("file=") != std::string::npos) {
      EXPECT_THAT(word, HasSubstr("readonly=on"));
    }
  }
  EXPECT_THAT(words, testing::Contains("-nodefaults"));
}

TEST(GuestKernelTest, ReadsWhatAModuleNeeds) {
  constexpr std::string_view kModule("license=GPL\0depends=virtio,virtio-ring\0name=x\0", 46);
  EXPECT_THAT(ModuleDependencies(kModule), ElementsAre("virtio", "virtio-ring"));
  EXPECT_THAT(ModuleDependencies(std::string_view("a\0depends=\0", 11)), ElementsAre());
  EXPECT_THAT(ModuleDependencies("depends=none"), ElementsAre());
}

TEST(GuestKernelTest, SaysWhatToDoWithoutOne) {
  const auto kernel = FindGuestKernelIn(testing::TempDir() + "/no-such-folder");
  ASSERT_FALSE(kernel);
  EXPECT_EQ(kernel.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(kernel.error().message, HasSubstr("tools/fetch_guest_kernel"));
}

TEST(CpioTest, IsAsTheKernelReadsIt) {
  CpioWriter writer;
  writer.Folder("d", 0755);
  writer.File("d/f", 0644, "hello");
  const std::string archive = std::move(writer).Take();
  EXPECT_EQ(archive.substr(0, 6), "070701");
  EXPECT_EQ(archive.size() % 4, 0U);
  EXPECT_THAT(archive, HasSubstr("00000005"));  // the file's size
  EXPECT_THAT(archive, HasSubstr("TRAILER!!!"));
}

TEST(ImageCacheTest, MakesAFileOnceAndLeavesNothingOfAFailure) {
  const std::string folder = testing::TempDir() + "/microvm-images-" + std::to_string(getpid());
  const ImageCache cache(folder);
  int made = 0;
  const auto make = [&made](const std::string& part) {
    ++made;
    return WriteFileAtomically(part, "image", 0600);
  };
  ASSERT_TRUE(cache.Find("a", make));
  ASSERT_TRUE(cache.Find("a", make));
  EXPECT_EQ(made, 1);
  const auto failed = cache.Find("b", [](const std::string& part) -> Expected<void> {
    (void)WriteFileAtomically(part, "half", 0600);
    return Fail(ErrorCode::kInternal, "no luck");
  });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "no luck");
  EXPECT_FALSE(FileExists(folder + "/b.part"));
  EXPECT_FALSE(FileExists(folder + "/b"));
  // What a killed engine has left.
  ASSERT_TRUE(WriteFileAtomically(folder + "/c.part", "half", 0600));
  EXPECT_THAT(CollectMicrovmGarbage(folder).removed, ElementsAre(folder + "/c.part"));
  EXPECT_THAT(CollectMicrovmGarbage(folder, -1).removed, ElementsAre(folder + "/a"));
}

TEST(AdmissionTest, ClaimsOfQemuWhatItsWallsHold) {
  EnforcementReport wall;
  wall.enforced = {{"cpu_share", "cgroup v1 cpu quota"}};
  wall.not_enforced = {{"cpu_time", "no controller", "", "enable it"}};
  const auto report = AdmitGuest(wall, "QEMU 7.2 with KVM", Policy{});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->tier, Tier::kMicrovm);
  EXPECT_THAT(report->not_enforced, testing::Contains(testing::Field(&NotEnforced::guarantee, "cpu_time")));
  EXPECT_THAT(report->enforced,
              testing::Contains(testing::Field(&Enforced::mechanism, HasSubstr("QEMU 7.2"))));
}

}  // namespace
}  // namespace casemate::microvm
