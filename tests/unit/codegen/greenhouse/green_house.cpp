// A green house in memory: the least that makes every generated handler do something.
#include <atomic>
#include <chrono>
#include <map>
#include <thread>

#include "api.h"

namespace green_house {
namespace {

class GreenHouse : public CubeApi {
 public:
  explicit GreenHouse(const CubeConfig &config) : config_(config) {
    if (config.owner == "burglar") throw std::runtime_error("no burglars");
    if (config.owner == "ghost") throw 13;
    weather_.temperature = -3;
    weather_.reading = {{1, WeatherReadingWind::Calm},
                        {18446744073709551615u, WeatherReadingWind::GaleForce}};
    create_bed(config.bed);
  }
  ~GreenHouse() override { alive_ = false; }

  CubeConfig read() override {
    CubeConfig config = config_;
    config.weather = weather_;
    if (watering_) config.locked.emplace();
    return config;
  }
  nlohmann::json read_base() override { return {{"name", config_.name}, {"loglevel", "INFO"}}; }
  void update(const CubeConfig &config) override {
    if (config.owner) config_.owner = config.owner;
    if (config.humidity) config_.humidity = config.humidity;
    if (config.locked) config_.locked = config.locked;
    if (config.climate) update_climate(*config.climate);
    config_.base = config.base;
  }

  nlohmann::json open_roof(const OpenRoofInput &) override { return config_.base; }

  ClimateConfig read_climate(Depth) override {
    if (!config_.climate) throw missing("no climate");
    return *config_.climate;
  }
  void replace_climate(const ClimateConfig &config) override { config_.climate = config; }
  void update_climate(const ClimateConfig &config) override {
    if (!config_.climate) config_.climate.emplace();
    if (config.target) config_.climate->target = config.target;
    if (config.switch_) config_.climate->switch_ = config.switch_;
    if (config.night) config_.climate->night = config.night;
  }
  void delete_climate() override { config_.climate.reset(); }

  ClimateNightConfig read_climate_night() override {
    return read_climate(Depth::All).night.value_or(ClimateNightConfig{});
  }
  void replace_climate_night(const ClimateNightConfig &config) override { config_.climate->night = config; }
  void update_climate_night(const ClimateNightConfig &config) override { config_.climate->night = config; }
  void delete_climate_night() override { config_.climate->night.reset(); }

  WeatherConfig read_weather(Depth) override { return weather_; }
  WeatherReadingConfig read_weather_reading(const WeatherReadingKey &key) override {
    for (const auto &reading : weather_.reading) {
      if (reading.key() == key) return reading;
    }
    throw missing("no reading at " + to_string(key));
  }
  void read_weather_reading_list(const Show<WeatherReadingConfig> &show) override {
    for (const auto &reading : weather_.reading) show(reading);
  }

  RoofConfig read_roof() override { return config_.roof.value_or(RoofConfig{}); }

  BedConfig read_bed(const BedKey &key, Depth depth) override {
    if (depth == Depth::All) ++deep_reads_;
    return shown(bed(key), depth);
  }
  void read_bed_list(Depth depth, const Show<BedConfig> &show) override {
    if (depth == Depth::All) ++deep_reads_;
    for (const auto &[key, bed] : beds_) show(shown(bed, depth));
  }
  void create_bed(const std::vector<BedConfig> &entries) override { insert(beds_, entries); }
  void replace_bed(const BedConfig &entry) override { bed(entry.key()) = entry; }
  void replace_bed_list(const std::vector<BedConfig> &entries) override {
    beds_.clear();
    insert(beds_, entries);
  }
  void update_bed(const std::vector<BedConfig> &entries) override {
    for (const auto &entry : entries) bed(entry.key()).label = entry.label;
  }
  void delete_bed(const BedKey &key) override { beds_.erase(key); }
  void delete_bed_list() override { beds_.clear(); }

  BedWateringConfig read_bed_watering(const BedKey &key, Depth) override { return watering(key); }
  void replace_bed_watering(const BedKey &key, const BedWateringConfig &config) override {
    watering(key) = config;
  }
  void update_bed_watering(const BedKey &key, const BedWateringConfig &config) override {
    watering(key).interval = config.interval;
  }
  void delete_bed_watering(const BedKey &key) override { bed(key).watering.reset(); }

  BedWateringValveConfig read_bed_watering_valve(const BedKey &bed, const BedWateringValveKey &key) override {
    for (auto valve : watering(bed).valve) {
      valve.stuck = true;
      if (valve.key() == key) return valve;
    }
    throw missing("no valve " + to_string(key));
  }
  void read_bed_watering_valve_list(const BedKey &bed, const Show<BedWateringValveConfig> &show) override {
    for (const auto &valve : watering(bed).valve) show(valve);
  }
  void create_bed_watering_valve(const BedKey &bed,
                                 const std::vector<BedWateringValveConfig> &entries) override {
    for (const auto &entry : entries) watering(bed).valve.push_back(entry);
  }
  void replace_bed_watering_valve(const BedKey &bed, const BedWateringValveConfig &entry) override {
    watering(bed).valve = {entry};
  }
  void replace_bed_watering_valve_list(const BedKey &bed,
                                       const std::vector<BedWateringValveConfig> &entries) override {
    watering(bed).valve = entries;
  }
  void update_bed_watering_valve(const BedKey &bed,
                                 const std::vector<BedWateringValveConfig> &entries) override {
    for (const auto &entry : entries) {
      for (auto &valve : watering(bed).valve) {
        if (valve.key() == entry.key()) valve.position = entry.position;
      }
    }
  }
  void delete_bed_watering_valve(const BedKey &bed, const BedWateringValveKey &) override {
    watering(bed).valve.pop_back();
  }
  void delete_bed_watering_valve_list(const BedKey &bed) override { watering(bed).valve.clear(); }

  BedPlantConfig read_bed_plant(const BedKey &bed, const BedPlantKey &key) override {
    return plants_.at(bed).at(key);
  }
  void read_bed_plant_list(const BedKey &bed, const Show<BedPlantConfig> &show) override {
    for (const auto &[key, plant] : plants_[bed]) show(plant);
  }
  void create_bed_plant(const BedKey &bed, const std::vector<BedPlantConfig> &entries) override {
    insert(plants_[bed], entries);
  }
  void replace_bed_plant(const BedKey &bed, const BedPlantConfig &entry) override {
    plants_.at(bed).at(entry.key()) = entry;
  }
  void replace_bed_plant_list(const BedKey &bed, const std::vector<BedPlantConfig> &entries) override {
    plants_[bed].clear();
    insert(plants_[bed], entries);
  }
  void update_bed_plant(const BedKey &bed, const std::vector<BedPlantConfig> &entries) override {
    for (const auto &entry : entries) plants_.at(bed).at(entry.key()).planted = entry.planted;
  }
  void delete_bed_plant(const BedKey &bed, const BedPlantKey &key) override { plants_.at(bed).erase(key); }
  void delete_bed_plant_list(const BedKey &bed) override { plants_.at(bed).clear(); }

  // Amounts above 1000 take their time: the answer tells whether the cube was there until the end.
  nlohmann::json bed_plant_water(const BedKey &bed, const BedPlantKey &key,
                                 const BedPlantWaterInput &input) override {
    watering_ = true;
    if (input.amount > 1000) std::this_thread::sleep_for(std::chrono::milliseconds(input.amount - 1000));
    watering_ = false;
    return {{"watered", to_string(bed) + " / " + to_string(key)},
            {"total", input.amount},
            {"note", input.note.value_or("none")},
            {"alive", alive_}};
  }

  // One gnome counts how often beds are read with all they contain.
  GnomeConfig read_gnome(const GnomeKey &key) override {
    if (key.id == 8) return {8, std::to_string(deep_reads_)};
    if (key.id != 7) throw missing("no gnome " + to_string(key));
    return {7, "grumpy"};
  }
  void read_gnome_list(const Show<GnomeConfig> &show) override { show({7, "grumpy"}); }

 private:
  static BedConfig shown(BedConfig bed, Depth depth) {
    if (depth == Depth::Leaves) {
      bed.watering.reset();
      bed.plant.clear();
    }
    return bed;
  }

  template <typename Map, typename Entries>
  static void insert(Map &map, const Entries &entries) {
    for (const auto &entry : entries) {
      if (map.count(entry.key())) throw already_exists(to_string(entry.key()) + " exists");
    }
    for (const auto &entry : entries) map.emplace(entry.key(), entry);
  }

  BedConfig &bed(const BedKey &key) {
    const auto found = beds_.find(key);
    if (found == beds_.end()) throw missing("no bed " + to_string(key));
    return found->second;
  }

  BedWateringConfig &watering(const BedKey &key) {
    auto &watering = bed(key).watering;
    if (!watering) watering.emplace();
    return *watering;
  }

  CubeConfig config_;
  WeatherConfig weather_;
  std::map<BedKey, BedConfig> beds_;
  std::map<BedKey, std::map<BedPlantKey, BedPlantConfig>> plants_;
  bool alive_ = true;
  std::atomic<bool> watering_{false};
  std::atomic<int> deep_reads_{0};
};

}  // namespace

std::shared_ptr<CubeApi> make_cube(const CubeConfig &config) { return std::make_shared<GreenHouse>(config); }

}  // namespace green_house
