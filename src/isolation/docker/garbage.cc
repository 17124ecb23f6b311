#include <fmt/format.h>

#include "isolation/docker/api.h"
#include "isolation/docker/container.h"
#include "isolation/docker/container_config.h"
#include "isolation/docker/docker_backend.h"
#include "isolation/docker/image.h"
#include "isolation/docker/owner.h"
#include "model/json.h"
#include "model/json_tape.h"

namespace casemate::docker {
namespace {

constexpr int kNotFound = 404;

// The texts of the array's elements.
std::vector<std::string> Elements(const std::string& json) {
  std::vector<std::string> all;
  const auto parsed = ParseJson(json, {64 << 20, 64});
  if (!parsed) return all;
  const JsonTape tape(*parsed);
  if (tape.kind(JsonTape::kRoot) != JsonTape::Kind::kArray) return all;
  for (auto node = tape.FirstChild(JsonTape::kRoot); node != tape.End(JsonTape::kRoot);
       node = tape.Next(node))
    all.emplace_back(tape.text(node));
  return all;
}

void Take(const Expected<Reply>& reply, const std::string& what, Garbage& garbage) {
  if (reply && (reply->ok() || reply->status == kNotFound)) {
    garbage.removed.push_back(what);
  } else {
    garbage.kept.push_back(fmt::format("{}: {}", what, reply ? reply->message() : reply.error().message));
  }
}

}  // namespace

Garbage CollectDockerGarbage() {
  Garbage garbage;
  auto place = FindPlace();
  if (!place) return garbage;
  Api api(*std::move(place));
  if (!api.Negotiate()) return garbage;
  const auto runs = api.Call(
      "GET", "/containers/json?all=1&filters=" + UrlEncode(fmt::format(R"({{"label":["{}"]}})", kRunLabel)));
  for (const std::string& container : runs ? Elements(runs->body) : std::vector<std::string>()) {
    const std::string id = JsonAt(container, {"Id"});
    if (!OwnerIsGone(JsonAt(container, {"Labels", kOwnerLabel}))) continue;
    Take(RemoveContainer(api, id), "container " + id.substr(0, 12), garbage);
  }
  const auto images = api.Call(
      "GET", "/images/json?filters=" + UrlEncode(R"({"label":["casemate.image"],"dangling":["true"]})"));
  for (const std::string& image : images ? Elements(images->body) : std::vector<std::string>()) {
    const std::string id = JsonAt(image, {"Id"});
    Take(api.Call("DELETE", "/images/" + id), "image " + id, garbage);
  }
  return garbage;
}

}  // namespace casemate::docker
