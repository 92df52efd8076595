"""Invented drives: a car that follows a road, stops, parks, warms up and burns fuel."""

import math
import random
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from devices.simulator.roads import CITIES, METRES_PER_DEGREE, City, Place, Road
from devices.simulator.samples import Floats, Positions, Samples

DECIMALS = {
    "speed_kmh": 1,
    "engine_rpm": 0,
    "coolant_temperature_c": 0,
    "throttle_percent": 1,
    "fuel_level_percent": 1,
    "battery_voltage_v": 2,
    "odometer_m": 0,
    "altitude_m": 1,
    "bearing_deg": 1,
    "ignition_on": 0,
}
"""The sensors of a drive and the decimal places that their hardware resolves."""

_TICK_S_MAX = 1.0
_BRAKE_MPS2 = 2.2
_ACCELERATION_MPS2 = 2.0
_AMBIENT_C = 18.0
_THERMOSTAT_C = 90.0
_TANK_L = 45.0
_GEARS = ((15.0, 120.0), (30.0, 68.0), (50.0, 46.0), (75.0, 35.0), (math.inf, 28.0))
"""Up to which speed in km/h a gear is driven, and its engine turns per minute for each km/h."""


class Source(Protocol):
    """Something that samples."""

    def take(self, until_ms: int) -> Samples:
        """Return what was sampled since the last call, up to and including a time."""
        ...


@dataclass(slots=True)
class _Car:
    """The state of a car; it changes with every tick."""

    along_m: float
    odometer_m: float
    coolant_c: float
    fuel_l: float
    ignition: bool = True
    speed_mps: float = 0.0
    acceleration_mps2: float = 0.0
    next_stop_m: float = 0.0
    waits_s: float = 0.0
    """How long the car still stands at a stop, or is parked."""
    drives_s: float = 0.0
    """How long it still drives before it looks for a place to park."""


class Drive:
    """An endless drive; the same seed gives the same drive, however it is taken."""

    def __init__(
        self, seed: int, start_ms: int, *, step_ms: int = 1000, city: City | None = None
    ) -> None:
        self._rng = random.Random(seed)
        self._step_ms = step_ms
        self._next_ms = start_ms
        self._road = Road(city or self._rng.choice(CITIES), self._rng)
        self._eagerness = self._rng.uniform(0.85, 1.1)
        self._car = _Car(
            along_m=self._rng.uniform(0.0, self._road.length_m),
            odometer_m=self._rng.uniform(2e7, 2.5e8),
            coolant_c=self._rng.uniform(_AMBIENT_C, _THERMOSTAT_C),
            fuel_l=self._rng.uniform(0.3, 1.0) * _TANK_L,
            drives_s=self._rng.uniform(300.0, 1500.0),
        )
        self._car.next_stop_m = self._car.along_m + self._rng.uniform(100.0, 800.0)
        self._receiver = _Receiver(self._rng)

    def take(self, until_ms: int) -> Samples:
        """Return the samples up to and including a time; see `Source.take`."""
        count = max(0, (until_ms - self._next_ms) // self._step_ms + 1)
        times_ms = self._next_ms + self._step_ms * np.arange(count, dtype=np.int64)
        self._next_ms += self._step_ms * count
        rows, fixes = [], []
        for _ in range(count):
            place = self._advance()
            rows.append(self._read(place))
            fixes.append(self._receiver.fix(place, self._step_ms / 1000))
        table: Floats = np.array(rows, np.float64).reshape(count, len(DECIMALS))
        track: Floats = np.array(fixes, np.float64).reshape(count, 2)
        sensors = {key: table[:, index].copy() for index, key in enumerate(DECIMALS)}
        return Samples(times_ms, sensors, Positions.from_degrees(track[:, 0], track[:, 1]))

    def _advance(self) -> Place:
        """Drive for one step, in ticks short enough for the car's reactions."""
        step_s = self._step_ms / 1000
        ticks = math.ceil(step_s / _TICK_S_MAX)
        for _ in range(ticks):
            self._tick(step_s / ticks)
        return self._road.at(self._car.along_m)

    def _tick(self, tick_s: float) -> None:
        car = self._car
        if car.waits_s > 0:
            self._wait(tick_s)
        else:
            self._roll(tick_s)
        target_c = _THERMOSTAT_C if car.ignition else _AMBIENT_C
        car.coolant_c += (target_c - car.coolant_c) * tick_s / (240.0 if car.ignition else 1500.0)
        if car.ignition:
            pull = max(car.acceleration_mps2, 0.0) * car.speed_mps
            litres_per_h = 0.7 + 0.15 * car.speed_mps + 0.6 * pull
            car.fuel_l = max(0.0, car.fuel_l - litres_per_h * tick_s / 3600)

    def _wait(self, tick_s: float) -> None:
        car = self._car
        car.acceleration_mps2 = 0.0
        car.waits_s -= tick_s
        if car.waits_s > 0:
            return
        if not car.ignition:
            car.ignition = True
            car.drives_s = self._rng.uniform(480.0, 1500.0)
            if car.fuel_l < 0.15 * _TANK_L:
                car.fuel_l = 0.97 * _TANK_L
        car.next_stop_m = car.along_m + self._rng.uniform(250.0, 1800.0)

    def _roll(self, tick_s: float) -> None:
        car = self._car
        car.drives_s -= tick_s
        to_stop_m = max(0.0, car.next_stop_m - car.along_m)
        # Half a second's way is kept in hand: a tick is coarse.
        can_brake_mps = math.sqrt(2 * _BRAKE_MPS2 * max(0.0, to_stop_m - 0.5 * car.speed_mps))
        wanted_mps = self._road.at(car.along_m + 2 * car.speed_mps).speed_mps_max * self._eagerness
        target_mps = min(wanted_mps, can_brake_mps)
        strength = _ACCELERATION_MPS2 * max(0.15, 1.0 - car.speed_mps / 40.0)
        car.acceleration_mps2 = min(strength, max(-3.5, target_mps - car.speed_mps))
        before_mps = car.speed_mps
        car.speed_mps = max(0.0, before_mps + car.acceleration_mps2 * tick_s)
        way_m = (before_mps + car.speed_mps) / 2 * tick_s
        car.along_m += way_m
        car.odometer_m += way_m
        if to_stop_m < 2.0 or (car.speed_mps < 0.5 and to_stop_m < 6.0):
            self._stand()

    def _stand(self) -> None:
        car = self._car
        car.speed_mps = 0.0
        if car.drives_s > 0:
            car.waits_s = self._rng.uniform(4.0, 45.0)
        else:
            car.ignition = False
            car.waits_s = self._rng.uniform(120.0, 480.0)

    def _read(self, place: Place) -> list[float]:
        """Return what the sensors say, in the order of `DECIMALS`."""
        car, noise = self._car, self._rng.gauss
        speed_kmh = car.speed_mps * 3.6
        per_kmh = next(turns for up_to_kmh, turns in _GEARS if speed_kmh < up_to_kmh)
        rpm = max(780.0, speed_kmh * per_kmh) + noise(0.0, 12.0)
        throttle = 11.0 + 0.25 * speed_kmh + 18.0 * max(car.acceleration_mps2, 0.0)
        throttle = min(100.0, max(0.0, throttle + noise(0.0, 0.6)))
        values = (
            speed_kmh,
            # The engine's computer sleeps when the ignition is off.
            rpm if car.ignition else math.nan,
            car.coolant_c if car.ignition else math.nan,
            throttle if car.ignition else math.nan,
            100.0 * car.fuel_l / _TANK_L,
            noise(14.1 if car.ignition else 12.5, 0.03),
            car.odometer_m,
            place.altitude_m + noise(0.0, 0.4),
            place.bearing_deg,
            float(car.ignition),
        )
        return [
            value if math.isnan(value) else round(value, decimals)
            for value, decimals in zip(values, DECIMALS.values(), strict=True)
        ]


class _Receiver:
    """A GPS receiver: it drifts around the truth, and now and then it has no fix."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._north_m = 0.0
        self._east_m = 0.0
        self._blind_s = 0.0

    def fix(self, place: Place, passed_s: float) -> tuple[float, float]:
        """Return latitude and longitude in degrees, NaN without a fix."""
        memory = math.exp(-passed_s / 30.0)
        scatter_m = 2.0 * math.sqrt(1.0 - memory * memory)
        self._north_m = memory * self._north_m + self._rng.gauss(0.0, scatter_m)
        self._east_m = memory * self._east_m + self._rng.gauss(0.0, scatter_m)
        self._blind_s -= passed_s
        if self._rng.random() < passed_s / 900.0:
            self._blind_s = self._rng.uniform(3.0, 15.0)
        if self._blind_s > 0:
            return math.nan, math.nan
        shrink = math.cos(math.radians(place.latitude_deg))
        return (
            place.latitude_deg + self._north_m / METRES_PER_DEGREE,
            place.longitude_deg + self._east_m / METRES_PER_DEGREE / shrink,
        )
