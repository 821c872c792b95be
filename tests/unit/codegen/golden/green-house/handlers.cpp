// Generated from green-house.yang by codegen. Do not edit.
//
// Every symbol the host looks up. The libpolycube globals are defined here, too.
#include <polycube/services/cube_factory.h>
#pragma GCC visibility push(default)
#include <polycube/services/shared_library.h>
#pragma GCC visibility pop

#include "data_model.h"
#include "dispatch.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

#define READ(symbol, reply)                                                 \
  EXPORT Response symbol(const char *cube, const Key *keys, size_t count) { \
    return answer([&] {                                                     \
      const Request request{cube ? cube : "", Keys(keys, count), {}};       \
      return reply;                                                         \
    });                                                                     \
  }

#define WRITE(symbol, reply)                                                                   \
  EXPORT Response symbol(const char *cube, const Key *keys, size_t count, const char *body) { \
    return answer([&] {                                                                        \
      const Request request{cube ? cube : "", Keys(keys, count), nlohmann::json::parse(body)}; \
      return reply;                                                                            \
    });                                                                                        \
  }

namespace green_house {

template <>
WeatherReadingKey key_from<WeatherReadingKey>(const Keys &keys) {
  return {keys.number<uint64_t>("time")};
}

template <>
BedWateringValveKey key_from<BedWateringValveKey>(const Keys &keys) {
  return {keys.text("valve_name")};
}

template <>
BedPlantKey key_from<BedPlantKey>(const Keys &keys) {
  return {keys.text("plant_na"), keys.number<bool>("sunny"), keys.choice("kind", bed_plant_kind_from_string)};
}

template <>
BedKey key_from<BedKey>(const Keys &keys) {
  return {keys.number<uint8_t>("row"), keys.number<int8_t>("column")};
}

template <>
GnomeKey key_from<GnomeKey>(const Keys &keys) {
  return {keys.number<uint32_t>("id")};
}

namespace {

constexpr Container<ClimateNightConfig> kClimateNight = {
    {},
    &CubeApi::read_climate_night,
    climate_night_config_from_json,
    &CubeApi::replace_climate_night,
    &CubeApi::update_climate_night,
    &CubeApi::delete_climate_night,
};

constexpr Container<ClimateConfig> kClimate = {
    {},
    &CubeApi::read_climate,
    climate_config_from_json,
    &CubeApi::replace_climate,
    &CubeApi::update_climate,
    &CubeApi::delete_climate,
};

constexpr List<WeatherReadingConfig> kWeatherReading = {
    {},
    &CubeApi::read_weather_reading,
    &CubeApi::read_weather_reading_list,
};

constexpr Container<WeatherConfig> kWeather = {
    {},
    &CubeApi::read_weather,
};

constexpr Container<RoofConfig> kRoof = {
    {},
    &CubeApi::read_roof,
};

constexpr List<BedWateringValveConfig, BedKey> kBedWateringValve = {
    {},
    &CubeApi::read_bed_watering_valve,
    &CubeApi::read_bed_watering_valve_list,
    bed_watering_valve_config_from_json,
    bed_watering_valve_list_from_json,
    &CubeApi::create_bed_watering_valve,
    &CubeApi::replace_bed_watering_valve,
    &CubeApi::replace_bed_watering_valve_list,
    &CubeApi::update_bed_watering_valve,
    &CubeApi::delete_bed_watering_valve,
    &CubeApi::delete_bed_watering_valve_list,
};

constexpr Container<BedWateringConfig, BedKey> kBedWatering = {
    {},
    &CubeApi::read_bed_watering,
    bed_watering_config_from_json,
    &CubeApi::replace_bed_watering,
    &CubeApi::update_bed_watering,
    &CubeApi::delete_bed_watering,
};

constexpr Action<BedPlantWaterInput, BedKey, BedPlantKey> kBedPlantWater = {
    {},
    &CubeApi::bed_plant_water,
    bed_plant_water_input_from_json,
};

constexpr List<BedPlantConfig, BedKey> kBedPlant = {
    {},
    &CubeApi::read_bed_plant,
    &CubeApi::read_bed_plant_list,
    bed_plant_config_from_json,
    bed_plant_list_from_json,
    &CubeApi::create_bed_plant,
    &CubeApi::replace_bed_plant,
    &CubeApi::replace_bed_plant_list,
    &CubeApi::update_bed_plant,
    &CubeApi::delete_bed_plant,
    &CubeApi::delete_bed_plant_list,
};

constexpr List<BedConfig> kBed = {
    {},
    &CubeApi::read_bed,
    &CubeApi::read_bed_list,
    bed_config_from_json,
    bed_list_from_json,
    &CubeApi::create_bed,
    &CubeApi::replace_bed,
    &CubeApi::replace_bed_list,
    &CubeApi::update_bed,
    &CubeApi::delete_bed,
    &CubeApi::delete_bed_list,
};

constexpr List<GnomeConfig> kGnome = {
    {},
    &CubeApi::read_gnome,
    &CubeApi::read_gnome_list,
};

constexpr Action<OpenRoofInput> kOpenRoof = {
    {},
    &CubeApi::open_roof,
    open_roof_input_from_json,
};

}  // namespace

EXPORT const char *data_model() { return data_model_text; }

EXPORT Response green_house_list_by_id_help() { return answer(help_cubes); }
WRITE(create_green_house_by_id_handler, create_cube(request))
WRITE(replace_green_house_by_id_handler, replace_cube(request))
WRITE(update_green_house_by_id_handler, update_cube(request))
READ(read_green_house_by_id_handler, read_cube(request))
READ(delete_green_house_by_id_handler, delete_cube(request))
READ(read_green_house_list_by_id_handler, read_cubes(request))
WRITE(update_green_house_list_by_id_handler, update_cubes(request))
READ(read_green_house_owner_by_id_handler, read_leaf(request, "owner"))
WRITE(update_green_house_owner_by_id_handler, update_leaf(request, "owner"))
READ(read_green_house_serial_by_id_handler, read_leaf(request, "serial"))
READ(read_green_house_humidity_by_id_handler, read_leaf(request, "humidity"))
WRITE(update_green_house_humidity_by_id_handler, update_leaf(request, "humidity"))
READ(read_green_house_locked_by_id_handler, read_leaf(request, "locked"))
WRITE(update_green_house_locked_by_id_handler, update_leaf(request, "locked"))
WRITE(create_green_house_climate_by_id_handler, replace_container(request, kClimate))
WRITE(replace_green_house_climate_by_id_handler, replace_container(request, kClimate))
WRITE(update_green_house_climate_by_id_handler, update_container(request, kClimate))
READ(read_green_house_climate_by_id_handler, read_container(request, kClimate))
READ(delete_green_house_climate_by_id_handler, delete_container(request, kClimate))
READ(read_green_house_climate_target_by_id_handler, read_leaf(request, kClimate, "target"))
WRITE(update_green_house_climate_target_by_id_handler, update_leaf(request, kClimate, "target"))
READ(read_green_house_climate_switch_by_id_handler, read_leaf(request, kClimate, "switch"))
WRITE(update_green_house_climate_switch_by_id_handler, update_leaf(request, kClimate, "switch"))
WRITE(create_green_house_climate_night_by_id_handler, replace_container(request, kClimateNight))
WRITE(replace_green_house_climate_night_by_id_handler, replace_container(request, kClimateNight))
WRITE(update_green_house_climate_night_by_id_handler, update_container(request, kClimateNight))
READ(read_green_house_climate_night_by_id_handler, read_container(request, kClimateNight))
READ(delete_green_house_climate_night_by_id_handler, delete_container(request, kClimateNight))
READ(read_green_house_climate_night_target_by_id_handler, read_leaf(request, kClimateNight, "target"))
WRITE(update_green_house_climate_night_target_by_id_handler, update_leaf(request, kClimateNight, "target"))
READ(read_green_house_weather_by_id_handler, read_container(request, kWeather))
READ(read_green_house_weather_temperature_by_id_handler, read_leaf(request, kWeather, "temperature"))
READ(read_green_house_weather_reading_by_id_handler, read_entry(request, kWeatherReading))
READ(read_green_house_weather_reading_list_by_id_handler, read_list(request, kWeatherReading))
READ(green_house_weather_reading_list_by_id_help, help_list(request, kWeatherReading))
READ(read_green_house_weather_reading_wind_by_id_handler, read_leaf(request, kWeatherReading, "wind"))
READ(read_green_house_roof_by_id_handler, read_container(request, kRoof))
READ(read_green_house_roof_glass_type_by_id_handler, read_leaf(request, kRoof, "glass.type"))
WRITE(create_green_house_bed_by_id_handler, create_entry(request, kBed))
WRITE(create_green_house_bed_list_by_id_handler, create_list(request, kBed))
WRITE(replace_green_house_bed_by_id_handler, replace_entry(request, kBed))
WRITE(replace_green_house_bed_list_by_id_handler, replace_list(request, kBed))
WRITE(update_green_house_bed_by_id_handler, update_entry(request, kBed))
WRITE(update_green_house_bed_list_by_id_handler, update_list(request, kBed))
READ(read_green_house_bed_by_id_handler, read_entry(request, kBed))
READ(read_green_house_bed_list_by_id_handler, read_list(request, kBed))
READ(delete_green_house_bed_by_id_handler, delete_entry(request, kBed))
READ(delete_green_house_bed_list_by_id_handler, delete_list(request, kBed))
READ(green_house_bed_list_by_id_help, help_list(request, kBed))
READ(read_green_house_bed_label_by_id_handler, read_leaf(request, kBed, "label"))
WRITE(update_green_house_bed_label_by_id_handler, update_leaf(request, kBed, "label"))
WRITE(create_green_house_bed_watering_by_id_handler, replace_container(request, kBedWatering))
WRITE(replace_green_house_bed_watering_by_id_handler, replace_container(request, kBedWatering))
WRITE(update_green_house_bed_watering_by_id_handler, update_container(request, kBedWatering))
READ(read_green_house_bed_watering_by_id_handler, read_container(request, kBedWatering))
READ(delete_green_house_bed_watering_by_id_handler, delete_container(request, kBedWatering))
READ(read_green_house_bed_watering_interval_by_id_handler, read_leaf(request, kBedWatering, "interval"))
WRITE(update_green_house_bed_watering_interval_by_id_handler, update_leaf(request, kBedWatering, "interval"))
WRITE(create_green_house_bed_watering_valve_by_id_handler, create_entry(request, kBedWateringValve))
WRITE(create_green_house_bed_watering_valve_list_by_id_handler, create_list(request, kBedWateringValve))
WRITE(replace_green_house_bed_watering_valve_by_id_handler, replace_entry(request, kBedWateringValve))
WRITE(replace_green_house_bed_watering_valve_list_by_id_handler, replace_list(request, kBedWateringValve))
WRITE(update_green_house_bed_watering_valve_by_id_handler, update_entry(request, kBedWateringValve))
WRITE(update_green_house_bed_watering_valve_list_by_id_handler, update_list(request, kBedWateringValve))
READ(read_green_house_bed_watering_valve_by_id_handler, read_entry(request, kBedWateringValve))
READ(read_green_house_bed_watering_valve_list_by_id_handler, read_list(request, kBedWateringValve))
READ(delete_green_house_bed_watering_valve_by_id_handler, delete_entry(request, kBedWateringValve))
READ(delete_green_house_bed_watering_valve_list_by_id_handler, delete_list(request, kBedWateringValve))
READ(green_house_bed_watering_valve_list_by_id_help, help_list(request, kBedWateringValve))
READ(read_green_house_bed_watering_valve_position_by_id_handler, read_leaf(request, kBedWateringValve, "position"))
WRITE(update_green_house_bed_watering_valve_position_by_id_handler, update_leaf(request, kBedWateringValve, "position"))
READ(read_green_house_bed_watering_valve_stuck_by_id_handler, read_leaf(request, kBedWateringValve, "stuck"))
WRITE(create_green_house_bed_plant_by_id_handler, create_entry(request, kBedPlant))
WRITE(create_green_house_bed_plant_list_by_id_handler, create_list(request, kBedPlant))
WRITE(replace_green_house_bed_plant_by_id_handler, replace_entry(request, kBedPlant))
WRITE(replace_green_house_bed_plant_list_by_id_handler, replace_list(request, kBedPlant))
WRITE(update_green_house_bed_plant_by_id_handler, update_entry(request, kBedPlant))
WRITE(update_green_house_bed_plant_list_by_id_handler, update_list(request, kBedPlant))
READ(read_green_house_bed_plant_by_id_handler, read_entry(request, kBedPlant))
READ(read_green_house_bed_plant_list_by_id_handler, read_list(request, kBedPlant))
READ(delete_green_house_bed_plant_by_id_handler, delete_entry(request, kBedPlant))
READ(delete_green_house_bed_plant_list_by_id_handler, delete_list(request, kBedPlant))
READ(green_house_bed_plant_list_by_id_help, help_list(request, kBedPlant))
READ(read_green_house_bed_plant_planted_by_id_handler, read_leaf(request, kBedPlant, "planted"))
WRITE(update_green_house_bed_plant_planted_by_id_handler, update_leaf(request, kBedPlant, "planted"))
WRITE(create_green_house_bed_plant_water_by_id_handler, call_action(request, kBedPlantWater))
READ(read_green_house_gnome_by_id_handler, read_entry(request, kGnome))
READ(read_green_house_gnome_list_by_id_handler, read_list(request, kGnome))
READ(green_house_gnome_list_by_id_help, help_list(request, kGnome))
READ(read_green_house_gnome_mood_by_id_handler, read_leaf(request, kGnome, "mood"))
WRITE(create_green_house_open_roof_by_id_handler, call_action(request, kOpenRoof))

}  // namespace green_house
