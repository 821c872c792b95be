// Generated from green-house.yang by codegen. Do not edit.
//
// Every symbol the host looks up. The libpolycube globals are defined here, too.
#include <polycube/services/cube_factory.h>
#pragma GCC visibility push(default)
#include <polycube/services/shared_library.h>
#pragma GCC visibility pop

#include "api.h"
#include "data_model.h"
#include "dispatch.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

#define READ(symbol, reply)                                                              \
  EXPORT Response symbol(const char *cube, const Key *keys, size_t count) {              \
    return codegen::answer([&] {                                                         \
      const codegen::Request request{cube ? cube : "", codegen::Keys(keys, count), {}};  \
      return reply;                                                                      \
    });                                                                                  \
  }

#define WRITE(symbol, reply)                                                                    \
  EXPORT Response symbol(const char *cube, const Key *keys, size_t count, const char *body) {   \
    return codegen::answer([&] {                                                                \
      const codegen::Request request{cube ? cube : "", codegen::Keys(keys, count),              \
                                     nlohmann::json::parse(body)};                              \
      return reply;                                                                             \
    });                                                                                         \
  }

namespace codegen {

template <>
green_house::WeatherReadingKey key_from<green_house::WeatherReadingKey>(const Keys &keys) {
  return {keys.number<uint64_t>("time")};
}

template <>
green_house::BedWateringValveKey key_from<green_house::BedWateringValveKey>(const Keys &keys) {
  return {keys.text("valve_name")};
}

template <>
green_house::BedPlantKey key_from<green_house::BedPlantKey>(const Keys &keys) {
  return {keys.text("plant_na"), keys.number<bool>("sunny"), keys.choice("kind", green_house::bed_plant_kind_from_string)};
}

template <>
green_house::BedKey key_from<green_house::BedKey>(const Keys &keys) {
  return {keys.number<uint8_t>("row"), keys.number<int8_t>("column", {{-5, 5}})};
}

template <>
green_house::GnomeKey key_from<green_house::GnomeKey>(const Keys &keys) {
  return {keys.number<uint32_t>("id")};
}

}  // namespace codegen

namespace green_house {
namespace {

constexpr auto kClimateNight = [] {
  codegen::ContainerTable<CubeApi, ClimateNightConfig, codegen::Pack<>, codegen::Pack<>> table;
  table.parse = climate_night_config_from_json;
  table.read = &CubeApi::read_climate_night;
  table.replace = &CubeApi::replace_climate_night;
  table.update = &CubeApi::update_climate_night;
  table.remove = &CubeApi::delete_climate_night;
  return table;
}();

constexpr auto kClimate = [] {
  codegen::ContainerTable<CubeApi, ClimateConfig, codegen::Pack<>, codegen::Pack<Depth>> table;
  table.parse = climate_config_from_json;
  table.read = &CubeApi::read_climate;
  table.replace = &CubeApi::replace_climate;
  table.update = &CubeApi::update_climate;
  table.remove = &CubeApi::delete_climate;
  return table;
}();

constexpr auto kWeatherReading = [] {
  codegen::ListTable<CubeApi, WeatherReadingConfig, codegen::Pack<>, codegen::Pack<>> table;
  table.read = &CubeApi::read_weather_reading;
  table.read_list = &CubeApi::read_weather_reading_list;
  return table;
}();

constexpr auto kWeather = [] {
  codegen::ContainerTable<CubeApi, WeatherConfig, codegen::Pack<>, codegen::Pack<Depth>> table;
  table.read = &CubeApi::read_weather;
  return table;
}();

constexpr auto kRoof = [] {
  codegen::ContainerTable<CubeApi, RoofConfig, codegen::Pack<>, codegen::Pack<>> table;
  table.read = &CubeApi::read_roof;
  return table;
}();

constexpr auto kBedWateringValve = [] {
  codegen::ListTable<CubeApi, BedWateringValveConfig, codegen::Pack<BedKey>, codegen::Pack<>> table;
  table.parse = bed_watering_valve_config_from_json;
  table.parse_list = bed_watering_valve_list_from_json;
  table.read = &CubeApi::read_bed_watering_valve;
  table.read_list = &CubeApi::read_bed_watering_valve_list;
  table.create = &CubeApi::create_bed_watering_valve;
  table.replace = &CubeApi::replace_bed_watering_valve;
  table.replace_list = &CubeApi::replace_bed_watering_valve_list;
  table.update = &CubeApi::update_bed_watering_valve;
  table.remove = &CubeApi::delete_bed_watering_valve;
  table.remove_list = &CubeApi::delete_bed_watering_valve_list;
  return table;
}();

constexpr auto kBedWatering = [] {
  codegen::ContainerTable<CubeApi, BedWateringConfig, codegen::Pack<BedKey>, codegen::Pack<Depth>> table;
  table.parse = bed_watering_config_from_json;
  table.read = &CubeApi::read_bed_watering;
  table.replace = &CubeApi::replace_bed_watering;
  table.update = &CubeApi::update_bed_watering;
  table.remove = &CubeApi::delete_bed_watering;
  return table;
}();

constexpr auto kBedPlantWater = [] {
  codegen::ActionTable<CubeApi, BedPlantWaterInput, codegen::Pack<BedKey, BedPlantKey>> table;
  table.parse = bed_plant_water_input_from_json;
  table.run = &CubeApi::bed_plant_water;
  return table;
}();

constexpr auto kBedPlant = [] {
  codegen::ListTable<CubeApi, BedPlantConfig, codegen::Pack<BedKey>, codegen::Pack<>> table;
  table.parse = bed_plant_config_from_json;
  table.parse_list = bed_plant_list_from_json;
  table.read = &CubeApi::read_bed_plant;
  table.read_list = &CubeApi::read_bed_plant_list;
  table.create = &CubeApi::create_bed_plant;
  table.replace = &CubeApi::replace_bed_plant;
  table.replace_list = &CubeApi::replace_bed_plant_list;
  table.update = &CubeApi::update_bed_plant;
  table.remove = &CubeApi::delete_bed_plant;
  table.remove_list = &CubeApi::delete_bed_plant_list;
  return table;
}();

constexpr auto kBed = [] {
  codegen::ListTable<CubeApi, BedConfig, codegen::Pack<>, codegen::Pack<Depth>> table;
  table.parse = bed_config_from_json;
  table.parse_list = bed_list_from_json;
  table.read = &CubeApi::read_bed;
  table.read_list = &CubeApi::read_bed_list;
  table.create = &CubeApi::create_bed;
  table.replace = &CubeApi::replace_bed;
  table.replace_list = &CubeApi::replace_bed_list;
  table.update = &CubeApi::update_bed;
  table.remove = &CubeApi::delete_bed;
  table.remove_list = &CubeApi::delete_bed_list;
  return table;
}();

constexpr auto kGnome = [] {
  codegen::ListTable<CubeApi, GnomeConfig, codegen::Pack<>, codegen::Pack<>> table;
  table.read = &CubeApi::read_gnome;
  table.read_list = &CubeApi::read_gnome_list;
  return table;
}();

constexpr auto kOpenRoof = [] {
  codegen::ActionTable<CubeApi, OpenRoofInput, codegen::Pack<>> table;
  table.parse = open_roof_input_from_json;
  table.run = &CubeApi::open_roof;
  return table;
}();

// One entry of a list after the other: the cube may be large.
void write_cube(codegen::Text &text, CubeApi &cube) {
  const CubeConfig config = cube.read();
  const nlohmann::json base = cube.read_base();
  codegen::ObjectWriter object(text);
  object.base(base);
  object.required("name", config.name);
  object.leaf("owner", config.owner);
  object.leaf("serial", config.serial);
  object.leaf("humidity", config.humidity);
  object.leaf("locked", config.locked);
  object.container("climate", config.climate);
  object.container("weather", config.weather);
  object.container("roof", config.roof);
  codegen::write_entries(object, "bed", cube, kBed);
  object.end();
}

constexpr auto kCube = [] {
  codegen::CubeTable<CubeApi, CubeConfig> table;
  table.parse = cube_config_from_json;
  table.make = make_cube;
  table.write = write_cube;
  return table;
}();

}  // namespace

EXPORT const char *data_model() { return data_model_text; }

EXPORT Response green_house_list_by_id_help() {
  return codegen::answer([] { return kCube.help(); });
}
WRITE(create_green_house_by_id_handler, kCube.create(request))
WRITE(replace_green_house_by_id_handler, kCube.replace(request))
WRITE(update_green_house_by_id_handler, kCube.update(request))
READ(read_green_house_by_id_handler, kCube.read(request))
READ(delete_green_house_by_id_handler, kCube.remove(request))
READ(read_green_house_list_by_id_handler, kCube.read_list())
WRITE(update_green_house_list_by_id_handler, kCube.update_list(request))
READ(read_green_house_owner_by_id_handler, kCube.read_leaf(request, "owner"))
WRITE(update_green_house_owner_by_id_handler, kCube.update_leaf(request, "owner"))
READ(read_green_house_serial_by_id_handler, kCube.read_leaf(request, "serial"))
READ(read_green_house_humidity_by_id_handler, kCube.read_leaf(request, "humidity"))
WRITE(update_green_house_humidity_by_id_handler, kCube.update_leaf(request, "humidity"))
READ(read_green_house_locked_by_id_handler, kCube.read_leaf(request, "locked"))
WRITE(update_green_house_locked_by_id_handler, kCube.update_leaf(request, "locked"))
WRITE(create_green_house_climate_by_id_handler, kClimate.replace_all(request))
WRITE(replace_green_house_climate_by_id_handler, kClimate.replace_all(request))
WRITE(update_green_house_climate_by_id_handler, kClimate.update_some(request))
READ(read_green_house_climate_by_id_handler, kClimate.read_all(request))
READ(delete_green_house_climate_by_id_handler, kClimate.delete_all(request))
READ(read_green_house_climate_target_by_id_handler, kClimate.read_leaf(request, "target"))
WRITE(update_green_house_climate_target_by_id_handler, kClimate.update_leaf(request, "target"))
READ(read_green_house_climate_switch_by_id_handler, kClimate.read_leaf(request, "switch"))
WRITE(update_green_house_climate_switch_by_id_handler, kClimate.update_leaf(request, "switch"))
WRITE(create_green_house_climate_night_by_id_handler, kClimateNight.replace_all(request))
WRITE(replace_green_house_climate_night_by_id_handler, kClimateNight.replace_all(request))
WRITE(update_green_house_climate_night_by_id_handler, kClimateNight.update_some(request))
READ(read_green_house_climate_night_by_id_handler, kClimateNight.read_all(request))
READ(delete_green_house_climate_night_by_id_handler, kClimateNight.delete_all(request))
READ(read_green_house_climate_night_target_by_id_handler, kClimateNight.read_leaf(request, "target"))
WRITE(update_green_house_climate_night_target_by_id_handler, kClimateNight.update_leaf(request, "target"))
READ(read_green_house_weather_by_id_handler, kWeather.read_all(request))
READ(read_green_house_weather_temperature_by_id_handler, kWeather.read_leaf(request, "temperature"))
READ(read_green_house_weather_reading_by_id_handler, kWeatherReading.read_entry(request))
READ(read_green_house_weather_reading_list_by_id_handler, kWeatherReading.read_entries(request))
READ(green_house_weather_reading_list_by_id_help, kWeatherReading.help(request))
READ(read_green_house_weather_reading_wind_by_id_handler, kWeatherReading.read_leaf(request, "wind"))
READ(read_green_house_roof_by_id_handler, kRoof.read_all(request))
READ(read_green_house_roof_glass_type_by_id_handler, kRoof.read_leaf(request, "glass.type"))
WRITE(create_green_house_bed_by_id_handler, kBed.create_entry(request))
WRITE(create_green_house_bed_list_by_id_handler, kBed.create_list(request))
WRITE(replace_green_house_bed_by_id_handler, kBed.replace_entry(request))
WRITE(replace_green_house_bed_list_by_id_handler, kBed.replace_entries(request))
WRITE(update_green_house_bed_by_id_handler, kBed.update_entry(request))
WRITE(update_green_house_bed_list_by_id_handler, kBed.update_list(request))
READ(read_green_house_bed_by_id_handler, kBed.read_entry(request))
READ(read_green_house_bed_list_by_id_handler, kBed.read_entries(request))
READ(delete_green_house_bed_by_id_handler, kBed.delete_entry(request))
READ(delete_green_house_bed_list_by_id_handler, kBed.delete_list(request))
READ(green_house_bed_list_by_id_help, kBed.help(request))
READ(read_green_house_bed_label_by_id_handler, kBed.read_leaf(request, "label"))
WRITE(update_green_house_bed_label_by_id_handler, kBed.update_leaf(request, "label"))
WRITE(create_green_house_bed_watering_by_id_handler, kBedWatering.replace_all(request))
WRITE(replace_green_house_bed_watering_by_id_handler, kBedWatering.replace_all(request))
WRITE(update_green_house_bed_watering_by_id_handler, kBedWatering.update_some(request))
READ(read_green_house_bed_watering_by_id_handler, kBedWatering.read_all(request))
READ(delete_green_house_bed_watering_by_id_handler, kBedWatering.delete_all(request))
READ(read_green_house_bed_watering_interval_by_id_handler, kBedWatering.read_leaf(request, "interval"))
WRITE(update_green_house_bed_watering_interval_by_id_handler, kBedWatering.update_leaf(request, "interval"))
WRITE(create_green_house_bed_watering_valve_by_id_handler, kBedWateringValve.create_entry(request))
WRITE(create_green_house_bed_watering_valve_list_by_id_handler, kBedWateringValve.create_list(request))
WRITE(replace_green_house_bed_watering_valve_by_id_handler, kBedWateringValve.replace_entry(request))
WRITE(replace_green_house_bed_watering_valve_list_by_id_handler, kBedWateringValve.replace_entries(request))
WRITE(update_green_house_bed_watering_valve_by_id_handler, kBedWateringValve.update_entry(request))
WRITE(update_green_house_bed_watering_valve_list_by_id_handler, kBedWateringValve.update_list(request))
READ(read_green_house_bed_watering_valve_by_id_handler, kBedWateringValve.read_entry(request))
READ(read_green_house_bed_watering_valve_list_by_id_handler, kBedWateringValve.read_entries(request))
READ(delete_green_house_bed_watering_valve_by_id_handler, kBedWateringValve.delete_entry(request))
READ(delete_green_house_bed_watering_valve_list_by_id_handler, kBedWateringValve.delete_list(request))
READ(green_house_bed_watering_valve_list_by_id_help, kBedWateringValve.help(request))
READ(read_green_house_bed_watering_valve_position_by_id_handler, kBedWateringValve.read_leaf(request, "position"))
WRITE(update_green_house_bed_watering_valve_position_by_id_handler, kBedWateringValve.update_leaf(request, "position"))
READ(read_green_house_bed_watering_valve_stuck_by_id_handler, kBedWateringValve.read_leaf(request, "stuck"))
WRITE(create_green_house_bed_plant_by_id_handler, kBedPlant.create_entry(request))
WRITE(create_green_house_bed_plant_list_by_id_handler, kBedPlant.create_list(request))
WRITE(replace_green_house_bed_plant_by_id_handler, kBedPlant.replace_entry(request))
WRITE(replace_green_house_bed_plant_list_by_id_handler, kBedPlant.replace_entries(request))
WRITE(update_green_house_bed_plant_by_id_handler, kBedPlant.update_entry(request))
WRITE(update_green_house_bed_plant_list_by_id_handler, kBedPlant.update_list(request))
READ(read_green_house_bed_plant_by_id_handler, kBedPlant.read_entry(request))
READ(read_green_house_bed_plant_list_by_id_handler, kBedPlant.read_entries(request))
READ(delete_green_house_bed_plant_by_id_handler, kBedPlant.delete_entry(request))
READ(delete_green_house_bed_plant_list_by_id_handler, kBedPlant.delete_list(request))
READ(green_house_bed_plant_list_by_id_help, kBedPlant.help(request))
READ(read_green_house_bed_plant_planted_by_id_handler, kBedPlant.read_leaf(request, "planted"))
WRITE(update_green_house_bed_plant_planted_by_id_handler, kBedPlant.update_leaf(request, "planted"))
WRITE(create_green_house_bed_plant_water_by_id_handler, kBedPlantWater.call_action(request))
READ(read_green_house_gnome_by_id_handler, kGnome.read_entry(request))
READ(read_green_house_gnome_list_by_id_handler, kGnome.read_entries(request))
READ(green_house_gnome_list_by_id_help, kGnome.help(request))
READ(read_green_house_gnome_mood_by_id_handler, kGnome.read_leaf(request, "mood"))
WRITE(create_green_house_open_roof_by_id_handler, kOpenRoof.call_action(request))

}  // namespace green_house
