// Generated from green-house.yang by codegen. Do not edit.
#include "config.h"

#include <tuple>

#include "codec.h"

namespace green_house {
namespace codec {

template <>
struct Texts<WeatherReadingWind> {
  static constexpr const char *all[] = {"calm", "gale-force"};
};

template <>
struct Texts<RoofGlassType> {
  static constexpr const char *all[] = {"2x", "SINGLE_PANE"};
};

template <>
struct Texts<BedPlantKind> {
  static constexpr const char *all[] = {"Tree", "shrub"};
};

template <>
struct Members<WeatherReadingKey> {
  template <typename Value, typename Visitor>
  static void visit(Value &key, Visitor &visitor) {
    visitor.required("time", key.time);
  }
};

template <>
struct Members<BedWateringValveKey> {
  template <typename Value, typename Visitor>
  static void visit(Value &key, Visitor &visitor) {
    visitor.required("name", key.name);
  }
};

template <>
struct Members<BedPlantKey> {
  template <typename Value, typename Visitor>
  static void visit(Value &key, Visitor &visitor) {
    visitor.required("na", key.na);
    visitor.required("sunny", key.sunny);
    visitor.required("kind", key.kind);
  }
};

template <>
struct Members<BedKey> {
  template <typename Value, typename Visitor>
  static void visit(Value &key, Visitor &visitor) {
    visitor.required("row", key.row);
    visitor.required("column", key.column);
  }
};

template <>
struct Members<GnomeKey> {
  template <typename Value, typename Visitor>
  static void visit(Value &key, Visitor &visitor) {
    visitor.required("id", key.id);
  }
};

template <>
struct Members<ClimateNightConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.leaf("target", config.target);
  }
};

template <>
struct Members<ClimateConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.leaf("target", config.target);
    visitor.leaf("switch", config.switch_);
    visitor.container("night", config.night);
  }
};

template <>
struct Members<WeatherReadingConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.required("time", config.time);
    visitor.output("wind", config.wind);
  }
};

template <>
struct Members<WeatherConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.output("temperature", config.temperature);
    visitor.list("reading", config.reading);
  }
};

template <>
struct Members<RoofConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.leaf("glass.type", config.glass_type);
  }
};

template <>
struct Members<BedWateringValveConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.required("name", config.name);
    visitor.leaf("position", config.position);
    visitor.output("stuck", config.stuck);
  }
};

template <>
struct Members<BedWateringConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.leaf("interval", config.interval, {{1, 24}, {48, 48}});
    visitor.list("valve", config.valve);
  }
};

template <>
struct Members<BedPlantWaterInput> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.required("amount", config.amount);
    visitor.leaf("note", config.note);
  }
};

template <>
struct Members<BedPlantConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.required("na", config.na);
    visitor.required("sunny", config.sunny);
    visitor.required("kind", config.kind);
    visitor.leaf("planted", config.planted);
  }
};

template <>
struct Members<BedConfig> {
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
struct Members<GnomeConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.required("id", config.id);
    visitor.output("mood", config.mood);
  }
};

template <>
struct Members<OpenRoofInput> {
  template <typename Value, typename Visitor>
  static void visit(Value &, Visitor &) {
  }
};

template <>
struct Members<CubeConfig> {
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

}  // namespace codec

std::string to_string(WeatherReadingWind value) { return codec::enum_text(value); }
WeatherReadingWind weather_reading_wind_from_string(const std::string &text) {
  return codec::parse_enum<WeatherReadingWind>(text);
}

std::string to_string(RoofGlassType value) { return codec::enum_text(value); }
RoofGlassType roof_glass_type_from_string(const std::string &text) {
  return codec::parse_enum<RoofGlassType>(text);
}

std::string to_string(BedPlantKind value) { return codec::enum_text(value); }
BedPlantKind bed_plant_kind_from_string(const std::string &text) {
  return codec::parse_enum<BedPlantKind>(text);
}

bool WeatherReadingKey::operator==(const WeatherReadingKey &other) const {
  return std::tie(time) == std::tie(other.time);
}
bool WeatherReadingKey::operator<(const WeatherReadingKey &other) const {
  return std::tie(time) < std::tie(other.time);
}
std::string to_string(const WeatherReadingKey &key) { return codec::text(to_json(key)); }
nlohmann::json to_json(const WeatherReadingKey &key) { return codec::write_struct(key); }

bool BedWateringValveKey::operator==(const BedWateringValveKey &other) const {
  return std::tie(name) == std::tie(other.name);
}
bool BedWateringValveKey::operator<(const BedWateringValveKey &other) const {
  return std::tie(name) < std::tie(other.name);
}
std::string to_string(const BedWateringValveKey &key) { return codec::text(to_json(key)); }
nlohmann::json to_json(const BedWateringValveKey &key) { return codec::write_struct(key); }

bool BedPlantKey::operator==(const BedPlantKey &other) const {
  return std::tie(na, sunny, kind) == std::tie(other.na, other.sunny, other.kind);
}
bool BedPlantKey::operator<(const BedPlantKey &other) const {
  return std::tie(na, sunny, kind) < std::tie(other.na, other.sunny, other.kind);
}
std::string to_string(const BedPlantKey &key) { return codec::text(to_json(key)); }
nlohmann::json to_json(const BedPlantKey &key) { return codec::write_struct(key); }

bool BedKey::operator==(const BedKey &other) const {
  return std::tie(row, column) == std::tie(other.row, other.column);
}
bool BedKey::operator<(const BedKey &other) const {
  return std::tie(row, column) < std::tie(other.row, other.column);
}
std::string to_string(const BedKey &key) { return codec::text(to_json(key)); }
nlohmann::json to_json(const BedKey &key) { return codec::write_struct(key); }

bool GnomeKey::operator==(const GnomeKey &other) const {
  return std::tie(id) == std::tie(other.id);
}
bool GnomeKey::operator<(const GnomeKey &other) const {
  return std::tie(id) < std::tie(other.id);
}
std::string to_string(const GnomeKey &key) { return codec::text(to_json(key)); }
nlohmann::json to_json(const GnomeKey &key) { return codec::write_struct(key); }

ClimateNightConfig climate_night_config_from_json(const nlohmann::json &json) {
  return codec::read_struct<ClimateNightConfig>(json, "");
}
nlohmann::json to_json(const ClimateNightConfig &config) { return codec::write_struct(config); }

ClimateConfig climate_config_from_json(const nlohmann::json &json) {
  return codec::read_struct<ClimateConfig>(json, "");
}
nlohmann::json to_json(const ClimateConfig &config) { return codec::write_struct(config); }

nlohmann::json to_json(const WeatherReadingConfig &config) { return codec::write_struct(config); }

nlohmann::json to_json(const WeatherConfig &config) { return codec::write_struct(config); }

nlohmann::json to_json(const RoofConfig &config) { return codec::write_struct(config); }

BedWateringValveConfig bed_watering_valve_config_from_json(const nlohmann::json &json) {
  return codec::read_struct<BedWateringValveConfig>(json, "");
}
std::vector<BedWateringValveConfig> bed_watering_valve_list_from_json(const nlohmann::json &json) {
  return codec::read_list<BedWateringValveConfig>(json, "valve");
}
nlohmann::json to_json(const BedWateringValveConfig &config) { return codec::write_struct(config); }

BedWateringConfig bed_watering_config_from_json(const nlohmann::json &json) {
  return codec::read_struct<BedWateringConfig>(json, "");
}
nlohmann::json to_json(const BedWateringConfig &config) { return codec::write_struct(config); }

BedPlantWaterInput bed_plant_water_input_from_json(const nlohmann::json &json) {
  return codec::read_struct<BedPlantWaterInput>(json, "");
}

BedPlantConfig bed_plant_config_from_json(const nlohmann::json &json) {
  return codec::read_struct<BedPlantConfig>(json, "");
}
std::vector<BedPlantConfig> bed_plant_list_from_json(const nlohmann::json &json) {
  return codec::read_list<BedPlantConfig>(json, "plant");
}
nlohmann::json to_json(const BedPlantConfig &config) { return codec::write_struct(config); }

BedConfig bed_config_from_json(const nlohmann::json &json) {
  return codec::read_struct<BedConfig>(json, "");
}
std::vector<BedConfig> bed_list_from_json(const nlohmann::json &json) {
  return codec::read_list<BedConfig>(json, "bed");
}
nlohmann::json to_json(const BedConfig &config) { return codec::write_struct(config); }

nlohmann::json to_json(const GnomeConfig &config) { return codec::write_struct(config); }

OpenRoofInput open_roof_input_from_json(const nlohmann::json &json) {
  return codec::read_struct<OpenRoofInput>(json, "");
}

CubeConfig cube_config_from_json(const nlohmann::json &json) {
  return codec::read_struct<CubeConfig>(json, "");
}
nlohmann::json to_json(const CubeConfig &config) { return codec::write_struct(config); }

}  // namespace green_house
