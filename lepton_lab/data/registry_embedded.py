"""The datasets that scikit-learn carries: they need no download."""

from __future__ import annotations

from lepton_lab.data.registry import DatasetInfo

_UCI = "https://archive.ics.uci.edu"
_CC_BY = "CC BY 4.0"

EMBEDDED = (
    DatasetInfo(
        name="digits",
        title="Handwritten digits, 8x8",
        task="classification",
        num_rows=1797,
        licence=_CC_BY,
        source=f"{_UCI}/dataset/80/optical+recognition+of+handwritten+digits",
        description="1,797 grey pictures of handwritten digits, 8x8 pixels with 17 levels, 10 classes.",
        offline=True,
        citation="Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998",
    ),
    DatasetInfo(
        name="iris",
        title="Iris flowers",
        task="classification",
        num_rows=150,
        licence=_CC_BY,
        source=f"{_UCI}/dataset/53/iris",
        description="150 flowers, 4 lengths and widths in centimetres, 3 species.",
        offline=True,
        citation="Fisher, The use of multiple measurements in taxonomic problems, Annals of Eugenics, 1936",
    ),
    DatasetInfo(
        name="wine",
        title="Wine recognition",
        task="classification",
        num_rows=178,
        licence=_CC_BY,
        source=f"{_UCI}/dataset/109/wine",
        description="178 wines, 13 chemical measures, 3 growers.",
        offline=True,
        citation="Aeberhard and Forina, Wine, UCI, 1992",
    ),
    DatasetInfo(
        name="breast-cancer",
        title="Breast cancer, Wisconsin (diagnostic)",
        task="classification",
        num_rows=569,
        licence=_CC_BY,
        source=f"{_UCI}/dataset/17/breast+cancer+wisconsin+diagnostic",
        description="569 samples, 30 measures of cell nuclei, malignant or benign.",
        offline=True,
        citation="Wolberg, Mangasarian, Street and Street, Breast Cancer Wisconsin (Diagnostic), UCI, 1995",
    ),
    DatasetInfo(
        name="diabetes",
        title="Diabetes progression",
        task="regression",
        num_rows=442,
        licence="Not stated by the makers; distributed with scikit-learn (BSD-3-Clause)",
        source="https://www4.stat.ncsu.edu/~boos/var.select/diabetes.html",
        description="442 patients, 10 measures, progression of the disease after a year.",
        offline=True,
        citation="Efron, Hastie, Johnstone and Tibshirani, Least Angle Regression, Annals of Statistics, 2004",
    ),
)
