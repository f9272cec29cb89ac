"""How a picture of any size comes to lie on one of a given size: the same for its pixels and for its boxes."""

from __future__ import annotations

from dataclasses import dataclass

FITS = ("crop", "squeeze", "pad")


@dataclass(frozen=True)
class Placing:
    """The wanted size, and what happens to other proportions.

    Attributes:
        width: Pixels.
        height: Pixels.
        fit: "crop" cuts the middle part out, "squeeze" changes the proportions, "pad" keeps all and fills with grey.
    """

    width: int
    height: int
    fit: str = "crop"

    def source(self, width: int, height: int) -> tuple[float, float, float, float]:
        """The part of a picture that is used: left, top, right, bottom in its own pixels."""
        if self.fit != "crop":
            return (0.0, 0.0, float(width), float(height))
        share = min(width / self.width, height / self.height)
        cut_width, cut_height = share * self.width, share * self.height
        left, top = (width - cut_width) / 2, (height - cut_height) / 2
        return (left, top, left + cut_width, top + cut_height)

    def goal(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Where that part comes to lie: left, top, right, bottom in whole pixels of the wanted size."""
        if self.fit != "pad":
            return (0, 0, self.width, self.height)
        scale = min(self.width / width, self.height / height)
        wide, high = min(self.width, max(1, round(width * scale))), min(self.height, max(1, round(height * scale)))
        left, top = (self.width - wide) // 2, (self.height - high) // 2
        return (left, top, left + wide, top + high)

    def place(
        self, box: tuple[float, float, float, float], width: int, height: int
    ) -> tuple[float, float, float, float]:
        """A box of a picture in pixels of the wanted size, cut at its edges."""
        (left, top, right, bottom), (to_left, to_top, to_right, to_bottom) = (
            self.source(width, height),
            self.goal(width, height),
        )
        wide, high = (to_right - to_left) / (right - left), (to_bottom - to_top) / (bottom - top)
        return (
            _between((box[0] - left) * wide + to_left, to_left, to_right),
            _between((box[1] - top) * high + to_top, to_top, to_bottom),
            _between((box[2] - left) * wide + to_left, to_left, to_right),
            _between((box[3] - top) * high + to_top, to_top, to_bottom),
        )

    def back(
        self, box: tuple[float, float, float, float], width: int, height: int
    ) -> tuple[float, float, float, float]:
        """A box in pixels of the wanted size in pixels of a picture of this width and height: what `place` undoes."""
        (left, top, right, bottom), (to_left, to_top, to_right, to_bottom) = (
            self.source(width, height),
            self.goal(width, height),
        )
        wide, high = (right - left) / (to_right - to_left), (bottom - top) / (to_bottom - to_top)
        return (
            _between((box[0] - to_left) * wide + left, 0.0, width),
            _between((box[1] - to_top) * high + top, 0.0, height),
            _between((box[2] - to_left) * wide + left, 0.0, width),
            _between((box[3] - to_top) * high + top, 0.0, height),
        )


def _between(value: float, low: float, high: float) -> float:
    return min(max(value, float(low)), float(high))
