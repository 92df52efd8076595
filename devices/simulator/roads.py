"""A synthetic road around a city: closed, winding, with speed limits and hills."""

import math
import random
from dataclasses import dataclass

import numpy as np

from devices.simulator.samples import Floats

METRES_PER_DEGREE = 111_320.0
_SPACING_M = 5.0
_SHAPE_POINTS = 4096
_LIMITS_KMH = (30, 50, 50, 50, 70, 90)
_CURVE_ACCELERATION_MPS2 = 2.5


@dataclass(frozen=True, slots=True)
class City:
    """A place to drive around."""

    name: str
    latitude_deg: float
    longitude_deg: float
    altitude_m: float


CITIES = (
    City("Braga", 41.5454, -8.4265, 190.0),
    City("Coimbra", 40.2033, -8.4103, 75.0),
    City("Castelo Branco", 39.8222, -7.4909, 375.0),
    City("Évora", 38.5714, -7.9135, 300.0),
)


@dataclass(frozen=True, slots=True)
class Place:
    """What the road is like at one point."""

    latitude_deg: float
    longitude_deg: float
    altitude_m: float
    bearing_deg: float
    speed_mps_max: float
    """By the sign at the roadside, or by the curve."""


class Road:
    """A loop that never crosses itself, looked up by the distance along it."""

    def __init__(self, city: City, rng: random.Random) -> None:
        self._city = city
        angles = np.linspace(0.0, 2 * math.pi, _SHAPE_POINTS + 1)
        radius_m = rng.uniform(2500.0, 6000.0) * _waves(angles, rng, size=0.3)
        east_m, north_m = radius_m * np.sin(angles), radius_m * np.cos(angles)
        along_m = np.concatenate(([0.0], np.cumsum(np.hypot(np.diff(east_m), np.diff(north_m)))))
        self.length_m = float(along_m[-1])
        grid_m = np.arange(0.0, self.length_m, _SPACING_M)
        east_m, north_m = (np.interp(grid_m, along_m, axis) for axis in (east_m, north_m))
        bearings = np.unwrap(np.arctan2(np.gradient(east_m), np.gradient(north_m)))
        self._latitudes = (city.latitude_deg + north_m / METRES_PER_DEGREE).tolist()
        shrink = math.cos(math.radians(city.latitude_deg))
        self._longitudes = (city.longitude_deg + east_m / METRES_PER_DEGREE / shrink).tolist()
        self._bearings = (np.degrees(bearings) % 360.0).tolist()
        hills = _waves(grid_m / self.length_m * 2 * math.pi, rng, size=0.2)
        self._altitudes = (city.altitude_m * hills).tolist()
        self._speeds = np.minimum(_signs(grid_m.size, rng), _curve_speeds(bearings)).tolist()

    def at(self, along_m: float) -> Place:
        """Return the road at a distance from its start, any number of times around."""
        index = int(along_m / _SPACING_M) % len(self._latitudes)
        following = (index + 1) % len(self._latitudes)
        share = along_m / _SPACING_M % 1.0
        return Place(
            _between(self._latitudes[index], self._latitudes[following], share),
            _between(self._longitudes[index], self._longitudes[following], share),
            _between(self._altitudes[index], self._altitudes[following], share),
            self._bearings[index],
            self._speeds[index],
        )


def _between(first: float, second: float, share: float) -> float:
    return first + (second - first) * share


def _waves(angles: Floats, rng: random.Random, *, size: float) -> Floats:
    """Return a smooth periodic factor around 1 that stays above 0."""
    factor = np.ones_like(angles)
    for harmonic in range(2, 8):
        swing = size * rng.uniform(0.3, 1.0) / harmonic
        factor += swing * np.cos(harmonic * angles + rng.uniform(0.0, 2 * math.pi))
    return factor


def _signs(count: int, rng: random.Random) -> Floats:
    """Return the signposted speed at each point of the grid."""
    speeds = np.empty(count)
    begin = 0
    while begin < count:
        end = begin + int(rng.uniform(300.0, 1500.0) / _SPACING_M)
        speeds[begin:end] = rng.choice(_LIMITS_KMH) / 3.6
        begin = end
    return speeds


def _curve_speeds(bearings: Floats) -> Floats:
    """Return the speed at which a curve becomes uncomfortable."""
    curvature = np.abs(np.gradient(bearings)) / _SPACING_M
    fastest: Floats = np.sqrt(_CURVE_ACCELERATION_MPS2 / np.maximum(curvature, 1e-4))
    return fastest
