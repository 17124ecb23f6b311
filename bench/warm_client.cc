// Times runs at a resident engine, each on a connection that stays open.
//
//   warm_client PLACE CLIENTS ROUNDS GAP_US [KEY] < request.json
//
// PLACE is the path of a unix socket or 127.0.0.1:PORT. Every one of CLIENTS threads sends the same request
// ROUNDS times and waits GAP_US between an answer and the next request. Output: the wall time of all in
// microseconds, then a line for each answer: its time, and what the engine says that it took itself (the sum
// of the result's timings), both in microseconds. A time is from just before the send to the last byte of the
// answer, by the monotonic clock. An answer whose status is not "ok" ends the whole measurement.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

[[noreturn]] void Stop(std::string_view why) {
  std::cerr << "warm_client: " << why << '\n';
  std::exit(1);
}

std::int64_t NowUs() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

struct Sample {
  std::int64_t time_us;
  std::int64_t own_us;
};

class Connection {
 public:
  explicit Connection(const std::string& place)
      : fd_(place.starts_with('/') ? ToPath(place) : ToPort(place)) {}
  ~Connection() { close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void Ask(const std::string& request) {
    if (send(fd_, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) {
      Stop("the engine has closed the connection");
    }
    answer_.clear();
    std::size_t whole = std::string::npos;
    while (answer_.size() < whole) {
      const ssize_t count = recv(fd_, buffer_.data(), buffer_.size(), 0);
      if (count <= 0) Stop("the engine has closed the connection");
      answer_.append(buffer_.data(), static_cast<std::size_t>(count));
      const std::size_t head = answer_.find("\r\n\r\n");
      if (whole == std::string::npos && head != std::string::npos) whole = head + 4 + BodyBytes();
    }
  }

  // What the engine says of the last answer's run. Steps that lie within another one's time, or before the
  // request came, are left out.
  std::int64_t OwnUs() const {
    if (answer_.find("\"status\":\"ok\"") == std::string::npos) Stop(answer_.substr(0, 600));
    constexpr std::string_view kStep = "{\"step\":\"";
    constexpr std::string_view kTime = "\"microseconds\":";
    const std::size_t end = answer_.find(']', answer_.find("\"timings\":["));
    std::int64_t sum = 0;
    for (std::size_t at = answer_.find(kStep); at < end; at = answer_.find(kStep, at)) {
      at += kStep.size();
      const std::string_view name = std::string_view(answer_).substr(at);
      const std::size_t time = answer_.find(kTime, at) + kTime.size();
      if (!name.starts_with("python.") && !name.starts_with("cell."))
        sum += std::strtoll(&answer_[time], nullptr, 10);
    }
    return sum;
  }

 private:
  static int ToPath(const std::string& path) {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof(address.sun_path)) Stop("the socket's path is too long");
    std::memcpy(address.sun_path, path.data(), path.size());
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
      Stop("nobody listens at " + path);
    return fd;
  }

  static int ToPort(const std::string& place) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(place.substr(place.find(':') + 1))));
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
      Stop("nobody listens at " + place);
    return fd;
  }

  std::size_t BodyBytes() const {
    constexpr std::string_view kName = "Content-Length:";
    const auto at =
        std::search(answer_.begin(), answer_.end(), kName.begin(), kName.end(), [](char a, char b) {
          return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
        });
    if (at == answer_.end()) Stop("an answer without a length");
    return std::strtoul(&*at + kName.size(), nullptr, 10);
  }

  int fd_;
  std::string answer_;
  std::vector<char> buffer_ = std::vector<char>(65536);
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5 && argc != 6) Stop("usage: warm_client PLACE CLIENTS ROUNDS GAP_US [KEY] < request.json");
  const std::string body((std::istreambuf_iterator<char>(std::cin)), std::istreambuf_iterator<char>());
  const std::string key = argc == 6 ? std::string("Authorization: Bearer ") + argv[5] + "\r\n" : "";
  const std::string request = "POST /v1/run HTTP/1.1\r\nHost: casemate\r\n" + key +
                              "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  const auto clients = std::strtoul(argv[2], nullptr, 10);
  const auto rounds = std::strtoul(argv[3], nullptr, 10);
  const auto gap_us = static_cast<useconds_t>(std::strtoul(argv[4], nullptr, 10));
  std::vector<std::vector<Sample>> samples(clients);
  std::vector<std::thread> threads;
  const std::int64_t begin = NowUs();
  for (auto& own : samples) {
    threads.emplace_back([&own, &request, rounds, gap_us, path = std::string(argv[1])] {
      Connection connection(path);
      for (std::size_t i = 0; i < rounds; ++i) {
        const std::int64_t sent = NowUs();
        connection.Ask(request);
        const std::int64_t time = NowUs() - sent;
        own.push_back({time, connection.OwnUs()});
        if (gap_us > 0) usleep(gap_us);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::printf("%lld\n", static_cast<long long>(NowUs() - begin));
  for (const auto& own : samples) {
    for (const Sample& sample : own) {
      std::printf("%lld %lld\n", static_cast<long long>(sample.time_us),
                  static_cast<long long>(sample.own_us));
    }
  }
}
