#include "model/event_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/utf8.h"
#include "model/base64.h"
#include "model/json.h"
#include "model/json_fields.h"
#include "model/result_json.h"

namespace casemate {
namespace {

struct EventWriter {
  JsonWriter& writer;

  void Name(std::string_view name) const { writer.Field("event", name); }
  void Stream(std::string_view name, std::string_view bytes) const {
    Name(name);
    if (IsValidUtf8(bytes)) {
      writer.Field("text", bytes);
    } else {
      writer.Field("base64", EncodeBase64(bytes));
    }
  }

  void operator()(const StartedEvent& event) const {
    Name("started");
    writer.Field("id", event.id);
  }
  void operator()(const StdoutEvent& event) const { Stream("stdout", event.text); }
  void operator()(const StderrEvent& event) const { Stream("stderr", event.text); }
  void operator()(const DisplayEvent& event) const {
    Name("display");
    writer.Key("data");
    WriteDisplay(writer, *event.display);
  }
  void operator()(const ResultEvent& event) const {
    Name("result");
    writer.Key("value");
    writer.Raw(*event.result);
  }
  void operator()(const ErrorEvent& event) const {
    Name("error");
    writer.Key("error");
    WriteError(writer, *event.error);
  }
  void operator()(const DenialEvent& event) const {
    Name("denial");
    writer.Key("denial");
    WriteDenial(writer, *event.denial);
  }
  void operator()(const FinishedEvent& event) const {
    Name("finished");
    writer.Key("result");
    WriteResult(writer, *event.result);
  }
};

// What the reader of one event has to work with.
struct EventSource {
  const JsonTape& tape;
  EventSink* sink;
  ExecutionResult& finished;

  Expected<JsonField> Find(std::string_view name) const {
    for (auto key = tape.FirstChild(JsonTape::kRoot); key != tape.End(JsonTape::kRoot);) {
      const JsonTape::Index value = tape.Next(key);
      if (tape.String(key) == name) return JsonField(tape, value, std::string(name));
      key = tape.Next(value);
    }
    return Fail(ErrorCode::kInvalidRequest, fmt::format("an event lacks \"{}\"", name));
  }
  void Tell(const Event& event) const {
    if (sink != nullptr) sink->OnEvent(event);
  }
};

using Done = Expected<void>;

Expected<std::string> StreamBytes(const EventSource& source) {
  if (const auto text = source.Find("text")) return text->String();
  const auto field = source.Find("base64");
  if (!field) return std::unexpected(field.error());
  const auto text = field->String();
  if (!text) return text;
  auto bytes = DecodeBase64(*text);
  if (!bytes) return Fail(ErrorCode::kInvalidRequest, "an event's \"base64\" is none");
  return *std::move(bytes);
}

template <typename StreamEvent>
Done ReadStream(const EventSource& source) {
  const auto bytes = StreamBytes(source);
  if (!bytes) return std::unexpected(bytes.error());
  source.Tell(StreamEvent{*bytes});
  return {};
}

Done ReadStarted(const EventSource& source) {
  const auto field = source.Find("id");
  if (!field) return std::unexpected(field.error());
  auto id = field->String();
  if (!id) return std::unexpected(id.error());
  source.Tell(StartedEvent{*std::move(id)});
  return {};
}

// An event that holds a pointer to one part, found under `name`.
template <typename PartEvent, typename Part>
Done ReadPart(const EventSource& source, std::string_view name, Expected<Part> (*read)(const JsonField&)) {
  const auto field = source.Find(name);
  if (!field) return std::unexpected(field.error());
  const auto part = read(*field);
  if (!part) return std::unexpected(part.error());
  source.Tell(PartEvent{&*part});
  return {};
}

Expected<JsonText> ReadValue(const JsonField& field) {
  const std::string_view text = field.text();
  auto value = ParseJson(text, {text.size(), kJsonDepthCeiling});
  if (!value) return Fail(ErrorCode::kInvalidRequest, value.error().message);
  return *std::move(value);
}

Done ReadFinished(const EventSource& source) {
  const auto field = source.Find("result");
  if (!field) return std::unexpected(field.error());
  auto result = ReadResult(*field);
  if (!result) return std::unexpected(std::move(result.error()));
  source.finished = *std::move(result);
  source.Tell(FinishedEvent{&source.finished});
  return {};
}

struct EventReader {
  std::string_view name;
  Done (*read)(const EventSource&);
};
constexpr std::array kReaders = {
    EventReader{"started", ReadStarted},
    EventReader{"stdout", ReadStream<StdoutEvent>},
    EventReader{"stderr", ReadStream<StderrEvent>},
    EventReader{"display",
                [](const EventSource& s) { return ReadPart<DisplayEvent>(s, "data", ReadDisplay); }},
    EventReader{"denial",
                [](const EventSource& s) { return ReadPart<DenialEvent>(s, "denial", ReadDenial); }},
    EventReader{"result", [](const EventSource& s) { return ReadPart<ResultEvent>(s, "value", ReadValue); }},
    EventReader{"error", [](const EventSource& s) { return ReadPart<ErrorEvent>(s, "error", ReadError); }},
    EventReader{"finished", ReadFinished},
};

}  // namespace

void AppendEventLine(std::string& out, const Event& event) {
  JsonWriter writer;
  writer.BeginObject();
  std::visit(EventWriter{writer}, event);
  writer.EndObject();
  out += writer.text();
  out += '\n';
}

Expected<bool> ReadEventLine(std::string_view line, EventSink* sink, ExecutionResult& finished) {
  const auto json = ParseJson(line, {line.size(), kJsonDepthCeiling});
  if (!json) {
    return Fail(ErrorCode::kInvalidRequest, fmt::format("an event is not JSON: {}", json.error().message));
  }
  const JsonTape tape(*json);
  if (tape.kind(JsonTape::kRoot) != JsonTape::Kind::kObject) {
    return Fail(ErrorCode::kInvalidRequest, "an event must be an object");
  }
  const EventSource source{tape, sink, finished};
  const auto field = source.Find("event");
  if (!field) return std::unexpected(field.error());
  const auto name = field->String();
  if (!name) return std::unexpected(name.error());
  const auto row = std::ranges::find(kReaders, *name, &EventReader::name);
  if (row == kReaders.end()) return false;
  if (auto done = row->read(source); !done) return std::unexpected(std::move(done.error()));
  return *name == "finished";
}

}  // namespace casemate
