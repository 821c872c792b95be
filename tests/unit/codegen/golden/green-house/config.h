// Generated from green-house.yang by codegen. Do not edit.
//
// The data of the service as C++ values. An absent optional was not given, or has nothing to show.
#pragma once

#include <polycube/services/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "errors.h"
#include "text.h"

namespace green_house {

using codegen::already_exists;
using codegen::bad_value;
using codegen::missing;
using codegen::ServiceError;
using codegen::unsupported;

// Enumerations. Texts are lower case; parsing takes any case and throws bad_value.
enum class WeatherReadingWind { Calm, GaleForce };
std::string to_string(WeatherReadingWind value);
WeatherReadingWind weather_reading_wind_from_string(const std::string &text);

enum class RoofGlassType { V2x, SinglePane };
std::string to_string(RoofGlassType value);
RoofGlassType roof_glass_type_from_string(const std::string &text);

enum class BedPlantKind { Tree, Shrub };
std::string to_string(BedPlantKind value);
BedPlantKind bed_plant_kind_from_string(const std::string &text);

// Keys. The text is that of the members with a blank between them.
struct WeatherReadingKey {
  uint64_t time{};

  bool operator==(const WeatherReadingKey &other) const;
  bool operator<(const WeatherReadingKey &other) const;
};
std::string to_string(const WeatherReadingKey &key);
nlohmann::json to_json(const WeatherReadingKey &key);
void write_help(codegen::Text &text, const WeatherReadingKey &key);

struct BedWateringValveKey {
  std::string name;

  bool operator==(const BedWateringValveKey &other) const;
  bool operator<(const BedWateringValveKey &other) const;
};
std::string to_string(const BedWateringValveKey &key);
nlohmann::json to_json(const BedWateringValveKey &key);
void write_help(codegen::Text &text, const BedWateringValveKey &key);

struct BedPlantKey {
  std::string na;
  bool sunny{};
  BedPlantKind kind{};

  bool operator==(const BedPlantKey &other) const;
  bool operator<(const BedPlantKey &other) const;
};
std::string to_string(const BedPlantKey &key);
nlohmann::json to_json(const BedPlantKey &key);
void write_help(codegen::Text &text, const BedPlantKey &key);

struct BedKey {
  uint8_t row{};
  int8_t column{};

  bool operator==(const BedKey &other) const;
  bool operator<(const BedKey &other) const;
};
std::string to_string(const BedKey &key);
nlohmann::json to_json(const BedKey &key);
void write_help(codegen::Text &text, const BedKey &key);

struct GnomeKey {
  uint32_t id{};

  bool operator==(const GnomeKey &other) const;
  bool operator<(const GnomeKey &other) const;
};
std::string to_string(const GnomeKey &key);
nlohmann::json to_json(const GnomeKey &key);
void write_help(codegen::Text &text, const GnomeKey &key);

// Containers and list entries. Parsers throw bad_value, which names the place in the request, for a value of
// the wrong kind, an integer out of range, an unknown enumeration text, a missing required member, and a list
// key given twice. They skip what clients cannot set. write_leaf() writes the default of a leaf that is
// not set, or nothing when it has none.

// climate/night
struct ClimateNightConfig {
  std::optional<int64_t> target;
};
ClimateNightConfig climate_night_config_from_json(const nlohmann::json &json);
void write(codegen::Text &text, const ClimateNightConfig &config);
void write_leaf(codegen::Text &text, const ClimateNightConfig &config, const char *leaf);

// climate
struct ClimateConfig {
  std::optional<double> target;  // default 21.5
  std::optional<bool> switch_;  // default true
  std::optional<ClimateNightConfig> night;
};
ClimateConfig climate_config_from_json(const nlohmann::json &json);
void write(codegen::Text &text, const ClimateConfig &config);
void write_leaf(codegen::Text &text, const ClimateConfig &config, const char *leaf);

// weather/reading
struct WeatherReadingConfig {
  uint64_t time{};
  std::optional<WeatherReadingWind> wind;  // read-only

  WeatherReadingKey key() const { return {time}; }
};
void write(codegen::Text &text, const WeatherReadingConfig &config);
void write_leaf(codegen::Text &text, const WeatherReadingConfig &config, const char *leaf);

// weather
struct WeatherConfig {
  std::optional<int8_t> temperature;  // read-only
  std::vector<WeatherReadingConfig> reading;
};
void write(codegen::Text &text, const WeatherConfig &config);
void write_leaf(codegen::Text &text, const WeatherConfig &config, const char *leaf);

// roof
struct RoofConfig {
  std::optional<RoofGlassType> glass_type;
};
void write(codegen::Text &text, const RoofConfig &config);
void write_leaf(codegen::Text &text, const RoofConfig &config, const char *leaf);

// bed/watering/valve
struct BedWateringValveConfig {
  std::string name;
  std::optional<int32_t> position;  // default -1
  std::optional<bool> stuck;  // read-only

  BedWateringValveKey key() const { return {name}; }
};
BedWateringValveConfig bed_watering_valve_config_from_json(const nlohmann::json &json);
std::vector<BedWateringValveConfig> bed_watering_valve_list_from_json(const nlohmann::json &json);
void write(codegen::Text &text, const BedWateringValveConfig &config);
void write_leaf(codegen::Text &text, const BedWateringValveConfig &config, const char *leaf);

// bed/watering
struct BedWateringConfig {
  std::optional<uint16_t> interval;
  std::vector<BedWateringValveConfig> valve;
};
BedWateringConfig bed_watering_config_from_json(const nlohmann::json &json);
void write(codegen::Text &text, const BedWateringConfig &config);
void write_leaf(codegen::Text &text, const BedWateringConfig &config, const char *leaf);

// the input of bed/plant/water
struct BedPlantWaterInput {
  uint16_t amount{};
  std::optional<std::string> note;
};
BedPlantWaterInput bed_plant_water_input_from_json(const nlohmann::json &json);

// bed/plant
struct BedPlantConfig {
  std::string na;
  bool sunny{};
  BedPlantKind kind{};
  std::optional<nlohmann::json> planted;

  BedPlantKey key() const { return {na, sunny, kind}; }
};
BedPlantConfig bed_plant_config_from_json(const nlohmann::json &json);
std::vector<BedPlantConfig> bed_plant_list_from_json(const nlohmann::json &json);
void write(codegen::Text &text, const BedPlantConfig &config);
void write_leaf(codegen::Text &text, const BedPlantConfig &config, const char *leaf);

// bed
struct BedConfig {
  std::optional<std::string> label;
  int8_t column{};
  uint8_t row{};
  std::optional<BedWateringConfig> watering;
  std::vector<BedPlantConfig> plant;

  BedKey key() const { return {row, column}; }
};
BedConfig bed_config_from_json(const nlohmann::json &json);
std::vector<BedConfig> bed_list_from_json(const nlohmann::json &json);
void write(codegen::Text &text, const BedConfig &config);
void write_leaf(codegen::Text &text, const BedConfig &config, const char *leaf);

// gnome
struct GnomeConfig {
  uint32_t id{};
  std::optional<std::string> mood;  // read-only

  GnomeKey key() const { return {id}; }
};
void write(codegen::Text &text, const GnomeConfig &config);
void write_leaf(codegen::Text &text, const GnomeConfig &config, const char *leaf);

// the input of open-roof
struct OpenRoofInput {
};
OpenRoofInput open_roof_input_from_json(const nlohmann::json &json);

// the cube
struct CubeConfig {
  std::string name;
  std::optional<std::string> owner;  // default nobody
  std::optional<uint64_t> serial;
  std::optional<uint8_t> humidity;  // default 40
  std::optional<std::monostate> locked;
  std::optional<ClimateConfig> climate;
  std::optional<WeatherConfig> weather;
  std::optional<RoofConfig> roof;
  std::vector<BedConfig> bed;
  std::vector<GnomeConfig> gnome;
  nlohmann::json base;  // in: all that was received; out: what the host says
};
CubeConfig cube_config_from_json(const nlohmann::json &json);
void write_leaf(codegen::Text &text, const CubeConfig &config, const char *leaf);

}  // namespace green_house
