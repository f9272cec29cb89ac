"""A toy worker whose accuracy depends on its learning rate: best at 0.01, and the better the longer it trains."""

from __future__ import annotations

import math

from toy_worker import Toy, main

from lepton_lab.runs.atomic import read_json


class TunedToy(Toy):
    def figures(self):
        rate = read_json(self.dir / "spec.json")["train"]["learning_rate"]
        if rate > 0.5:
            raise SystemExit("this rate is too high for a toy")
        far = abs(math.log10(rate) + 2) / 4
        accuracy = (1 - far) * self.step / self.steps_total
        return {"val_accuracy": accuracy, "val_loss": 1 - accuracy}


if __name__ == "__main__":
    main(TunedToy)
