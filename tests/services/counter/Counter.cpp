#include "Counter.h"

#include <tins/ethernetII.h>

#include <numeric>

#include "texts.h"

namespace {

uint64_t sum(const std::vector<uint64_t> &values) {
  return std::accumulate(values.begin(), values.end(), uint64_t{0});
}

}  // namespace

CounterPort::CounterPort(polycube::service::Cube<CounterPort> &,
                         std::shared_ptr<polycube::service::PortIface> port, const PortConf &conf)
    : Port(std::move(port)) {
  if (conf.getBase().value("peer", "") == "refused") throw std::runtime_error("refused by the service");
}

Counter::Counter(const nlohmann::json &conf) : Cube(conf, {kDatapath}, {}) {
  set_step(conf.at("step").get<uint16_t>());
  for (const auto &port : conf.value("ports", nlohmann::json::array())) create_port(port);
}

Counter::~Counter() { dismount(); }

void Counter::update(const nlohmann::json &conf) {
  set_conf(conf);
  if (conf.count("step")) set_step(conf.at("step").get<uint16_t>());
}

nlohmann::json Counter::read() {
  nlohmann::json result = to_json();
  if (!get_ports().empty()) result["ports"] = read_ports();
  result["step"] = step();
  result["echoes"] = echoes();
  if (!get_ports().empty()) result["total"] = totals();
  return result;
}

void Counter::create_port(const nlohmann::json &conf) {
  add_port<PortConf>(conf.at("name").get<std::string>(), PortConf(conf));
}

nlohmann::json Counter::read_ports() const {
  auto result = nlohmann::json::array();
  for (const auto &port : get_ports()) result.push_back(port->to_json());
  return result;
}

uint16_t Counter::step() { return get_array_table<uint16_t>("step").get(0); }

void Counter::set_step(uint16_t step) { get_array_table<uint16_t>("step").set(0, step); }

uint64_t Counter::total(uint32_t port) { return sum(get_percpuarray_table<uint64_t>("totals").get(port)); }

nlohmann::json Counter::totals() {
  auto result = nlohmann::json::array();
  for (const auto &port : get_ports()) {
    auto index = static_cast<uint32_t>(port->index());
    result.push_back({{"port", index}, {"packets", total(index)}});
  }
  return result;
}

uint64_t Counter::reset() {
  auto table = get_percpuarray_table<uint64_t>("totals");
  uint64_t before = 0;
  for (const auto &[port, values] : table.get_all()) {
    before += sum(values);
    table.set(port, uint64_t{0});
  }
  return before;
}

void Counter::swap(bool drop) { reload(drop ? "#define DROP_ALL\n" + kDatapath : kDatapath); }

int Counter::add_dropper() {
  return add_program(
      "static __always_inline int handle_rx(struct CTXTYPE *ctx, struct pkt_metadata *md) { return RX_DROP; "
      "}\n");
}

void Counter::packet_in(CounterPort &port, PacketInMetadata &md, const std::vector<uint8_t> &packet) {
  logger()->debug("packet of {} bytes on {}, reason {}, metadata {} {} {}", packet.size(), port.name(),
                  md.reason, md.metadata[0], md.metadata[1], md.metadata[2]);
  Tins::EthernetII frame(packet.data(), static_cast<uint32_t>(packet.size()));
  auto sender = frame.src_addr();
  frame.src_addr(frame.dst_addr());
  frame.dst_addr(sender);
  port.send_packet_out(frame);
  ++echoes_;
}
