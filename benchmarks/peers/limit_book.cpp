// The limit: WebSocket frames read from a plain socket, every number of every level read (JSON by simdjson), nothing else done.
// Arguments: port warm frames hyperliquid|paradex. Prints the same JSON lines as the other readers.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "simdjson.h"

using namespace simdjson;

static constexpr uint64_t EPOCH_MS = 1780000000000ULL;
static constexpr size_t BUFFER_BYTES = 1 << 18;

static double seconds(clockid_t clock) {
    timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

static void send_text(int peer, const std::string &text) {
    std::string frame("\x81", 1);
    if (text.size() < 126) {
        frame += char(0x80 | text.size());
    } else {
        frame += char(0x80 | 126);
        frame += char(text.size() >> 8);
        frame += char(text.size() & 255);
    }
    frame += std::string(4, '\0') + text;  // a mask of zeros
    if (write(peer, frame.data(), frame.size()) < 0) exit(1);
}

struct Level {
    double price, size;
};

static std::vector<Level> bids, asks;
static ondemand::parser parser;

static uint64_t read_hyperliquid(ondemand::document &document) {
    ondemand::object data = document["data"];
    uint64_t time_ms = data["time"].get_uint64();
    std::vector<Level> *sides[2] = {&bids, &asks};
    int side = 0;
    for (ondemand::array levels : data["levels"].get_array()) {
        std::vector<Level> &kept = *sides[side++];
        kept.clear();
        for (ondemand::object level : levels)
            kept.push_back({level["px"].get_double_in_string(), level["sz"].get_double_in_string()});
    }
    return time_ms;
}

template <typename Number>
static Number at(const char *from) {
    Number number;
    memcpy(&number, from, sizeof number);  // little-endian, as SBE is
    return number;
}

// SBE: a header (block length, template, schema, version), the block, then a group of bids and one of asks. 0 for what is no book.
static uint64_t read_paradex(const char *frame, size_t size) {
    if (size < 8 || at<uint16_t>(frame + 2) != 3) return 0;
    uint64_t time_ms = at<int64_t>(frame + 8) / 1000;
    volatile int64_t sequence = at<int64_t>(frame + 16);
    const char *group = frame + 8 + at<uint16_t>(frame), *end = frame + size;
    for (std::vector<Level> *side : {&bids, &asks}) {
        uint16_t length = at<uint16_t>(group), count = at<uint16_t>(group + 2);
        group += 4;
        if (group + size_t(length) * count > end) return 0;
        side->clear();
        for (uint16_t n = 0; n < count; n++, group += length)
            side->push_back({at<int64_t>(group) / 1e8, at<int64_t>(group + 8) / 1e8});
    }
    return sequence ? time_ms : 0;
}

int main(int count, char **words) {
    if (count != 5) return 2;
    const uint64_t warm_ms = EPOCH_MS + atoll(words[2]) - 1, frames = atoll(words[3]);
    const uint64_t last_ms = warm_ms + frames;
    const bool hyperliquid = std::string(words[4]) == "hyperliquid";

    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(atoi(words[1]));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int peer = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(peer, reinterpret_cast<sockaddr *>(&address), sizeof address)) return 1;
    int on = 1;
    setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    std::string hello =
        "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    if (write(peer, hello.data(), hello.size()) < 0) return 1;
    std::string reply;
    for (char byte; reply.size() < 4 || reply.compare(reply.size() - 4, 4, "\r\n\r\n");) {
        if (read(peer, &byte, 1) != 1) return 1;
        reply += byte;
    }
    send_text(peer, hyperliquid
                        ? R"({"method":"subscribe","subscription":{"type":"l2Book","coin":"BTC"}})"
                        : R"({"jsonrpc":"2.0","method":"subscribe","params":{"channel":"order_book.BTC-USD-PERP.deltas"},"id":1})");

    std::vector<char> buffer(BUFFER_BYTES + SIMDJSON_PADDING);
    size_t have = 0;
    uint64_t states = 0;
    double cpu = 0, wall = 0;
    bool confirmed = false;
    while (true) {
        ssize_t got = recv(peer, buffer.data() + have, BUFFER_BYTES - have, 0);
        if (got <= 0) return 1;
        have += got;
        size_t at = 0;
        while (have - at >= 2) {
            const auto *head = reinterpret_cast<const unsigned char *>(buffer.data() + at);
            size_t size = head[1], header = 2;
            if (size == 126) {
                if (have - at < 4) break;
                size = head[2] << 8 | head[3];
                header = 4;
            } else if (size == 127) {
                if (have - at < 10) break;
                size = 0;
                for (int i = 2; i < 10; i++) size = size << 8 | head[i];
                header = 10;
            }
            if (have - at < header + size) break;
            char *payload = buffer.data() + at + header;
            at += header + size;
            if (!confirmed) {
                confirmed = true;
                continue;
            }
            uint64_t time_ms;
            if (hyperliquid) {
                ondemand::document document = parser.iterate(payload, size, buffer.data() + buffer.size() - payload);
                time_ms = read_hyperliquid(document);
            } else {
                time_ms = read_paradex(payload, size);
            }
            states++;
            if (time_ms == warm_ms) {
                printf("{\"warm\": true}\n");
                fflush(stdout);
                states = 0;
                wall = seconds(CLOCK_MONOTONIC);
                cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
            } else if (time_ms == last_ms) {
                cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
                wall = seconds(CLOCK_MONOTONIC) - wall;
                printf("{\"us_per_frame\": %.4f, \"states\": %llu, \"wall_s\": %.4f}\n", cpu / frames * 1e6,
                       static_cast<unsigned long long>(states), wall);
                return 0;
            }
        }
        memmove(buffer.data(), buffer.data() + at, have - at);
        have -= at;
    }
}
