#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "casemate/backend.h"
#include "isolation/docker/api.h"
#include "isolation/docker/counters.h"

namespace casemate::docker {

// A started container whose attendant waits for its order. Removed with the object, unless it was handed on.
struct Container {
  std::shared_ptr<const Api> api;
  std::string id;  // "" when there is none
  Api::Stream stream;
  UniqueFd pidfd;                    // of its first process, where that is one of this host's
  std::optional<Counters> counters;  // likewise

  Container() = default;
  Container(Container&& other) noexcept;
  Container& operator=(Container&& other) noexcept;
  ~Container();

  // Whether it still waits.
  bool Alive() const;
};

// What a container is made from.
struct ContainerOrder {
  std::string name;
  std::string config;  // the body of POST /containers/create
  std::string image;
  EnvironmentView environment;  // builds `image` where the engine has none of that name
};

// Creates, attaches and starts; `timings` gets a step each. On an error nothing is left.
Expected<Container> MakeContainer(std::shared_ptr<const Api> api, const ContainerOrder& order,
                                  std::vector<Timing>& timings);

// Waits until the engine has container `id` no more: its record, its file system and its cgroup. What it
// answered last: ok, 404 for one that is gone, or why it stays.
Expected<Reply> RemoveContainer(const Api& api, const std::string& id);

}  // namespace casemate::docker
