// Generated from green-house.yang by codegen. Do not edit.
#include "config.h"

#include <tuple>

#include "keys.h"
#include "reader.h"
#include "writer.h"

namespace codegen {


template <>
struct Texts<green_house::WeatherReadingWind> {
  static constexpr const char *all[] = {"calm", "gale-force"};
};

template <>
struct Texts<green_house::RoofGlassType> {
  static constexpr const char *all[] = {"2x", "SINGLE_PANE"};
};

template <>
struct Texts<green_house::BedPlantKind> {
  static constexpr const char *all[] = {"Tree", "shrub"};
};

template <>
struct Members<green_house::WeatherReadingKey> {
  template <typename Value, typename Visitor>
  static void visit(Value &key, Visitor &visitor) {
    visitor.required("time", key.time);
  }
};

template <>
struct Members<green_house::BedWateringValveKey> {
  template <typename Value, typename Visitor>
  static void visit(Value &key, Visitor &visitor) {
    visitor.required("name", key.name);
  }
};

template <>
struct Members<green_house::BedPlantKey> {
  template <typename Value, typename Visitor>
  static void visit(Value &key, Visitor &visitor) {
    visitor.required("na", key.na);
    visitor.required("sunny", key.sunny);
    visitor.required("kind", key.kind);
  }
};

template <>
struct Members<green_house::BedKey> {
  template <typename Value, typename Visitor>
  static void visit(Value &key, Visitor &visitor) {
    visitor.required("row", key.row);
    visitor.required("column", key.column);
  }
};

template <>
struct Members<green_house::GnomeKey> {
  template <typename Value, typename Visitor>
  static void visit(Value &key, Visitor &visitor) {
    visitor.required("id", key.id);
  }
};

template <>
struct Members<green_house::ClimateNightConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.leaf("target", config.target);
  }
};

template <>
struct Members<green_house::ClimateConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.leaf("target", config.target);
    visitor.leaf("switch", config.switch_);
    visitor.container("night", config.night);
  }
};

template <>
struct Members<green_house::WeatherReadingConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.required("time", config.time);
    visitor.output("wind", config.wind);
  }
};

template <>
struct Members<green_house::WeatherConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.output("temperature", config.temperature);
    visitor.list("reading", config.reading);
  }
};

template <>
struct Members<green_house::RoofConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.leaf("glass.type", config.glass_type);
  }
};

template <>
struct Members<green_house::BedWateringValveConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.required("name", config.name);
    visitor.leaf("position", config.position);
    visitor.output("stuck", config.stuck);
  }
};

template <>
struct Members<green_house::BedWateringConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.leaf("interval", config.interval, {{1, 24}, {48, 48}});
    visitor.list("valve", config.valve);
  }
};

template <>
struct Members<green_house::BedPlantWaterInput> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.required("amount", config.amount);
    visitor.leaf("note", config.note);
  }
};

template <>
struct Members<green_house::BedPlantConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.required("na", config.na);
    visitor.required("sunny", config.sunny);
    visitor.required("kind", config.kind);
    visitor.leaf("planted", config.planted);
  }
};

template <>
struct Members<green_house::BedConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.leaf("label", config.label);
    visitor.required("column", config.column, {{-5, 5}});
    visitor.required("row", config.row);
    visitor.container("watering", config.watering);
    visitor.list("plant", config.plant);
  }
};

template <>
struct Members<green_house::GnomeConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.required("id", config.id);
    visitor.output("mood", config.mood);
  }
};

template <>
struct Members<green_house::OpenRoofInput> {
  template <typename Value, typename Visitor>
  static void visit(Value &, Visitor &) {
  }
};

template <>
struct Members<green_house::CubeConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.base(config.base);
    visitor.required("name", config.name);
    visitor.leaf("owner", config.owner);
    visitor.leaf("serial", config.serial);
    visitor.leaf("humidity", config.humidity, {{20, 60}, {80, 80}});
    visitor.leaf("locked", config.locked);
    visitor.container("climate", config.climate);
    visitor.container("weather", config.weather);
    visitor.container("roof", config.roof);
    visitor.list("bed", config.bed);
    visitor.list("gnome", config.gnome);
  }
};

}  // namespace codegen

namespace green_house {

std::string to_string(WeatherReadingWind value) { return codegen::enum_text(value); }
WeatherReadingWind weather_reading_wind_from_string(const std::string &text) {
  return codegen::parse_enum<WeatherReadingWind>(text);
}

std::string to_string(RoofGlassType value) { return codegen::enum_text(value); }
RoofGlassType roof_glass_type_from_string(const std::string &text) {
  return codegen::parse_enum<RoofGlassType>(text);
}

std::string to_string(BedPlantKind value) { return codegen::enum_text(value); }
BedPlantKind bed_plant_kind_from_string(const std::string &text) {
  return codegen::parse_enum<BedPlantKind>(text);
}

bool WeatherReadingKey::operator==(const WeatherReadingKey &other) const {
  return std::tie(time) == std::tie(other.time);
}
bool WeatherReadingKey::operator<(const WeatherReadingKey &other) const {
  return std::tie(time) < std::tie(other.time);
}
std::string to_string(const WeatherReadingKey &key) { return codegen::key_text(key); }
nlohmann::json to_json(const WeatherReadingKey &key) { return codegen::key_json(key); }
void write_help(codegen::Text &text, const WeatherReadingKey &key) { codegen::write_key_help(text, key); }

bool BedWateringValveKey::operator==(const BedWateringValveKey &other) const {
  return std::tie(name) == std::tie(other.name);
}
bool BedWateringValveKey::operator<(const BedWateringValveKey &other) const {
  return std::tie(name) < std::tie(other.name);
}
std::string to_string(const BedWateringValveKey &key) { return codegen::key_text(key); }
nlohmann::json to_json(const BedWateringValveKey &key) { return codegen::key_json(key); }
void write_help(codegen::Text &text, const BedWateringValveKey &key) { codegen::write_key_help(text, key); }

bool BedPlantKey::operator==(const BedPlantKey &other) const {
  return std::tie(na, sunny, kind) == std::tie(other.na, other.sunny, other.kind);
}
bool BedPlantKey::operator<(const BedPlantKey &other) const {
  return std::tie(na, sunny, kind) < std::tie(other.na, other.sunny, other.kind);
}
std::string to_string(const BedPlantKey &key) { return codegen::key_text(key); }
nlohmann::json to_json(const BedPlantKey &key) { return codegen::key_json(key); }
void write_help(codegen::Text &text, const BedPlantKey &key) { codegen::write_key_help(text, key); }

bool BedKey::operator==(const BedKey &other) const {
  return std::tie(row, column) == std::tie(other.row, other.column);
}
bool BedKey::operator<(const BedKey &other) const {
  return std::tie(row, column) < std::tie(other.row, other.column);
}
std::string to_string(const BedKey &key) { return codegen::key_text(key); }
nlohmann::json to_json(const BedKey &key) { return codegen::key_json(key); }
void write_help(codegen::Text &text, const BedKey &key) { codegen::write_key_help(text, key); }

bool GnomeKey::operator==(const GnomeKey &other) const {
  return std::tie(id) == std::tie(other.id);
}
bool GnomeKey::operator<(const GnomeKey &other) const {
  return std::tie(id) < std::tie(other.id);
}
std::string to_string(const GnomeKey &key) { return codegen::key_text(key); }
nlohmann::json to_json(const GnomeKey &key) { return codegen::key_json(key); }
void write_help(codegen::Text &text, const GnomeKey &key) { codegen::write_key_help(text, key); }

ClimateNightConfig climate_night_config_from_json(const nlohmann::json &json) {
  return codegen::read_struct<ClimateNightConfig>(json, "");
}
void write(codegen::Text &text, const ClimateNightConfig &config) { codegen::write_struct(text, config); }
void write_leaf(codegen::Text &text, const ClimateNightConfig &config, const char *leaf) {
  codegen::write_leaf(text, config, leaf);
}

ClimateConfig climate_config_from_json(const nlohmann::json &json) {
  return codegen::read_struct<ClimateConfig>(json, "");
}
void write(codegen::Text &text, const ClimateConfig &config) { codegen::write_struct(text, config); }
void write_leaf(codegen::Text &text, const ClimateConfig &config, const char *leaf) {
  codegen::write_leaf(text, config, leaf);
  codegen::write_default(text, leaf, "target", "21.5");
  codegen::write_default(text, leaf, "switch", "true");
}

void write(codegen::Text &text, const WeatherReadingConfig &config) { codegen::write_struct(text, config); }
void write_leaf(codegen::Text &text, const WeatherReadingConfig &config, const char *leaf) {
  codegen::write_leaf(text, config, leaf);
}

void write(codegen::Text &text, const WeatherConfig &config) { codegen::write_struct(text, config); }
void write_leaf(codegen::Text &text, const WeatherConfig &config, const char *leaf) {
  codegen::write_leaf(text, config, leaf);
}

void write(codegen::Text &text, const RoofConfig &config) { codegen::write_struct(text, config); }
void write_leaf(codegen::Text &text, const RoofConfig &config, const char *leaf) {
  codegen::write_leaf(text, config, leaf);
}

BedWateringValveConfig bed_watering_valve_config_from_json(const nlohmann::json &json) {
  return codegen::read_struct<BedWateringValveConfig>(json, "");
}
std::vector<BedWateringValveConfig> bed_watering_valve_list_from_json(const nlohmann::json &json) {
  return codegen::read_list<BedWateringValveConfig>(json, "valve");
}
void write(codegen::Text &text, const BedWateringValveConfig &config) { codegen::write_struct(text, config); }
void write_leaf(codegen::Text &text, const BedWateringValveConfig &config, const char *leaf) {
  codegen::write_leaf(text, config, leaf);
  codegen::write_default(text, leaf, "position", "-1");
}

BedWateringConfig bed_watering_config_from_json(const nlohmann::json &json) {
  return codegen::read_struct<BedWateringConfig>(json, "");
}
void write(codegen::Text &text, const BedWateringConfig &config) { codegen::write_struct(text, config); }
void write_leaf(codegen::Text &text, const BedWateringConfig &config, const char *leaf) {
  codegen::write_leaf(text, config, leaf);
}

BedPlantWaterInput bed_plant_water_input_from_json(const nlohmann::json &json) {
  return codegen::read_struct<BedPlantWaterInput>(json, "");
}

BedPlantConfig bed_plant_config_from_json(const nlohmann::json &json) {
  return codegen::read_struct<BedPlantConfig>(json, "");
}
std::vector<BedPlantConfig> bed_plant_list_from_json(const nlohmann::json &json) {
  return codegen::read_list<BedPlantConfig>(json, "plant");
}
void write(codegen::Text &text, const BedPlantConfig &config) { codegen::write_struct(text, config); }
void write_leaf(codegen::Text &text, const BedPlantConfig &config, const char *leaf) {
  codegen::write_leaf(text, config, leaf);
}

BedConfig bed_config_from_json(const nlohmann::json &json) {
  return codegen::read_struct<BedConfig>(json, "");
}
std::vector<BedConfig> bed_list_from_json(const nlohmann::json &json) {
  return codegen::read_list<BedConfig>(json, "bed");
}
void write(codegen::Text &text, const BedConfig &config) { codegen::write_struct(text, config); }
void write_leaf(codegen::Text &text, const BedConfig &config, const char *leaf) {
  codegen::write_leaf(text, config, leaf);
}

void write(codegen::Text &text, const GnomeConfig &config) { codegen::write_struct(text, config); }
void write_leaf(codegen::Text &text, const GnomeConfig &config, const char *leaf) {
  codegen::write_leaf(text, config, leaf);
}

OpenRoofInput open_roof_input_from_json(const nlohmann::json &json) {
  return codegen::read_struct<OpenRoofInput>(json, "");
}

CubeConfig cube_config_from_json(const nlohmann::json &json) {
  return codegen::read_struct<CubeConfig>(json, "");
}
void write_leaf(codegen::Text &text, const CubeConfig &config, const char *leaf) {
  codegen::write_leaf(text, config, leaf);
  codegen::write_default(text, leaf, "owner", "\"nobody\"");
  codegen::write_default(text, leaf, "humidity", "40");
}

}  // namespace green_house
