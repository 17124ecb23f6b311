// docker_dialer HOST PORT CERTIFICATES: connects to a Docker Engine over TCP, with TLS when the folder
// CERTIFICATES is not empty, and moves bytes between that and its stdin, which is a socket. It says "+\n" on
// that first, or
// "-REASON\n". It is nobody's child and ends with either side.
#include <curl/curl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <string_view>

namespace {

constexpr long kConnectTimeoutS = 10;

bool WaitFor(int fd, short events) {
  pollfd entry{fd, events, 0};
  return poll(&entry, 1, -1) > 0 || errno == EINTR;
}

bool Tell(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = send(STDIN_FILENO, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      if (!WaitFor(STDIN_FILENO, POLLOUT)) return false;
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

class Link {
 public:
  Link(CURL* curl, int socket) : curl_(curl), socket_(socket) {}

  void Run() {
    while (Receive() && Wait() && Forward()) {
    }
  }

 private:
  bool Wait() {
    std::array<pollfd, 2> entries{pollfd{socket_, POLLIN, 0}, pollfd{STDIN_FILENO, POLLIN, 0}};
    if (poll(entries.data(), entries.size(), -1) < 0) return errno == EINTR;
    has_words_ = entries[1].revents != 0;
    return true;
  }

  // TLS may hold bytes that poll(2) does not know of, so until there are none.
  bool Receive() {
    for (;;) {
      std::size_t count = 0;
      const CURLcode code = curl_easy_recv(curl_, bytes_.data(), bytes_.size(), &count);
      if (code == CURLE_AGAIN) return true;
      if (code != CURLE_OK || count == 0 || !Tell({bytes_.data(), count})) return false;
    }
  }

  bool Forward() {
    if (!has_words_) return true;
    const ssize_t count = recv(STDIN_FILENO, bytes_.data(), bytes_.size(), MSG_DONTWAIT);
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    if (count == 0) return false;
    std::string_view left(bytes_.data(), static_cast<std::size_t>(count));
    while (!left.empty()) {
      std::size_t sent = 0;
      const CURLcode code = curl_easy_send(curl_, left.data(), left.size(), &sent);
      if (code == CURLE_AGAIN && WaitFor(socket_, POLLOUT | POLLIN)) continue;
      if (code != CURLE_OK) return false;
      left.remove_prefix(sent);
    }
    return true;
  }

  CURL* curl_;
  int socket_;
  bool has_words_ = false;
  std::array<char, 65536> bytes_{};
};

CURLcode Connect(CURL* curl, const std::string& host, const std::string& port, const std::string& folder) {
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  const std::string url = (folder.empty() ? "http://" : "https://") + name + ":" + port;
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L);
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, kConnectTimeoutS);
  if (!folder.empty()) {
    curl_easy_setopt(curl, CURLOPT_CAINFO, (folder + "/ca.pem").c_str());
    curl_easy_setopt(curl, CURLOPT_SSLCERT, (folder + "/cert.pem").c_str());
    curl_easy_setopt(curl, CURLOPT_SSLKEY, (folder + "/key.pem").c_str());
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  }
  return curl_easy_perform(curl);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  // The caller waits for this process, and not for what it makes.
  if (const pid_t child = fork(); child != 0) return child < 0 ? 1 : 0;
  CURL* curl = curl_easy_init();
  if (curl == nullptr) return 1;
  std::array<char, CURL_ERROR_SIZE> reason{};
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason.data());
  const CURLcode code = Connect(curl, argv[1], argv[2], argv[3]);
  curl_socket_t socket = CURL_SOCKET_BAD;
  if (code != CURLE_OK || curl_easy_getinfo(curl, CURLINFO_ACTIVESOCKET, &socket) != CURLE_OK) {
    Tell("-" + std::string(reason[0] != '\0' ? reason.data() : curl_easy_strerror(code)) + "\n");
  } else if (Tell("+\n")) {
    Link(curl, socket).Run();
  }
  curl_easy_cleanup(curl);
  return 0;
}
