// Generated from green-house.yang by codegen. Do not edit.
//
// What the service implements. Methods run in several threads at once, but none before make_cube has returned
// or after the destructor has begun. Keys of enclosing lists come first, outermost first. A failure is an
// exception, and a method that throws leaves everything as it was: writing several entries is all or nothing.
//
// A list hands its entries to `show`, one after the other. Do not call it with a lock held that writers need:
// it formats text, and a list may be long. The entries may be as they are at different moments.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config.h"
#include "reading.h"

namespace green_house {

using codegen::Depth;
using codegen::Show;

class CubeApi {
 public:
  virtual ~CubeApi() = default;

  // Leaves and containers only: the lists have methods of their own, and `base` is what read_base() returns.
  virtual CubeConfig read() = 0;
  virtual nlohmann::json read_base() = 0;
  virtual void update(const CubeConfig &config) = 0;

  // climate/night
  virtual ClimateNightConfig read_climate_night() = 0;
  virtual void replace_climate_night(const ClimateNightConfig &config) = 0;
  virtual void update_climate_night(const ClimateNightConfig &config) = 0;
  virtual void delete_climate_night() = 0;

  // climate
  virtual ClimateConfig read_climate(Depth depth) = 0;
  virtual void replace_climate(const ClimateConfig &config) = 0;
  virtual void update_climate(const ClimateConfig &config) = 0;
  virtual void delete_climate() = 0;

  // weather/reading
  virtual WeatherReadingConfig read_weather_reading(const WeatherReadingKey &key) = 0;
  virtual void read_weather_reading_list(const Show<WeatherReadingConfig> &show) = 0;

  // weather
  virtual WeatherConfig read_weather(Depth depth) = 0;

  // roof
  virtual RoofConfig read_roof() = 0;

  // bed/watering/valve
  virtual BedWateringValveConfig read_bed_watering_valve(const BedKey &bed,
                                                         const BedWateringValveKey &key) = 0;
  virtual void read_bed_watering_valve_list(const BedKey &bed, const Show<BedWateringValveConfig> &show) = 0;
  virtual void create_bed_watering_valve(const BedKey &bed,
                                         const std::vector<BedWateringValveConfig> &entries) = 0;
  virtual void replace_bed_watering_valve(const BedKey &bed, const BedWateringValveConfig &entry) = 0;
  virtual void replace_bed_watering_valve_list(const BedKey &bed,
                                               const std::vector<BedWateringValveConfig> &entries) = 0;
  virtual void update_bed_watering_valve(const BedKey &bed,
                                         const std::vector<BedWateringValveConfig> &entries) = 0;
  virtual void delete_bed_watering_valve(const BedKey &bed, const BedWateringValveKey &key) = 0;
  virtual void delete_bed_watering_valve_list(const BedKey &bed) = 0;

  // bed/watering
  virtual BedWateringConfig read_bed_watering(const BedKey &bed, Depth depth) = 0;
  virtual void replace_bed_watering(const BedKey &bed, const BedWateringConfig &config) = 0;
  virtual void update_bed_watering(const BedKey &bed, const BedWateringConfig &config) = 0;
  virtual void delete_bed_watering(const BedKey &bed) = 0;

  // bed/plant/water
  virtual nlohmann::json bed_plant_water(const BedKey &bed,
                                         const BedPlantKey &bed_plant,
                                         const BedPlantWaterInput &input) = 0;

  // bed/plant
  virtual BedPlantConfig read_bed_plant(const BedKey &bed, const BedPlantKey &key) = 0;
  virtual void read_bed_plant_list(const BedKey &bed, const Show<BedPlantConfig> &show) = 0;
  virtual void create_bed_plant(const BedKey &bed, const std::vector<BedPlantConfig> &entries) = 0;
  virtual void replace_bed_plant(const BedKey &bed, const BedPlantConfig &entry) = 0;
  virtual void replace_bed_plant_list(const BedKey &bed, const std::vector<BedPlantConfig> &entries) = 0;
  virtual void update_bed_plant(const BedKey &bed, const std::vector<BedPlantConfig> &entries) = 0;
  virtual void delete_bed_plant(const BedKey &bed, const BedPlantKey &key) = 0;
  virtual void delete_bed_plant_list(const BedKey &bed) = 0;

  // bed
  virtual BedConfig read_bed(const BedKey &key, Depth depth) = 0;
  virtual void read_bed_list(Depth depth, const Show<BedConfig> &show) = 0;
  virtual void create_bed(const std::vector<BedConfig> &entries) = 0;
  virtual void replace_bed(const BedConfig &entry) = 0;
  virtual void replace_bed_list(const std::vector<BedConfig> &entries) = 0;
  virtual void update_bed(const std::vector<BedConfig> &entries) = 0;
  virtual void delete_bed(const BedKey &key) = 0;
  virtual void delete_bed_list() = 0;

  // gnome
  virtual GnomeConfig read_gnome(const GnomeKey &key) = 0;
  virtual void read_gnome_list(const Show<GnomeConfig> &show) = 0;

  // open-roof
  virtual nlohmann::json open_roof(const OpenRoofInput &input) = 0;
};

// Implemented by the service.
std::shared_ptr<CubeApi> make_cube(const CubeConfig &config);

}  // namespace green_house
