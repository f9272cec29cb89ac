"""The datasets that come with lepton_lab by name.

A SHA-256 stands here only where the makers state it, or where the file itself was at hand; an MD5 where the makers
state that. All other files are taken as they come first, which is told (see `trust`).
"""

from __future__ import annotations

from lepton_lab.data.registry import DatasetInfo, RemoteFile

_UCI = "https://archive.ics.uci.edu"
_UCI_FILES = f"{_UCI}/ml/machine-learning-databases"
_GITHUB = "https://raw.githubusercontent.com"
_GROUPLENS = "https://files.grouplens.org/datasets/movielens"
_CC_BY = "CC BY 4.0"
_DIGITS = tuple(str(digit) for digit in range(10))
_HARPER = "Harper and Konstan, The MovieLens Datasets: History and Context, ACM TiiS 5(4), 2015"
_MOVIELENS_TERMS = "Research use; no redistribution without permission (see the README inside)"

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

_NAMES_SHA256 = {
    "Arabic": "6f424a8dbe51cbbbabab7a57d38b617210125e4e3991f3c657cb79b8f104bafc",
    "Chinese": "09ba8f1f7e38dbc99372d461b26ad4433b811fc6bfa6a3ecca6fe11a9a777465",
    "Czech": "e17ab0ec47616a72c39cb85c783f70c3663ab64488721e5d8378f146d2226be7",
    "Dutch": "924f32b635170eae561f84538632138fc07d4c8bbd70ba3fb980de1ecc4d2af3",
    "English": "9cca037066d3d5989e24bc01801416162de506b5e28e15b7c092a47905d29bf2",
    "French": "81e65b36c60ed5b89a17422f6edcadbb89546f38ad69e960e64e7ba682012a95",
    "German": "7449cd590b97a733e18d613a4155decd77ec35dc5f8aadd7a82204dce4f051db",
    "Greek": "3555b5186de7f401e6d991b088e9e644ca3099116477818c25ab5793801389e6",
    "Irish": "cf8c7013256252a88d2503127b87282a11f21b2ff6db1bded68834c19a1ec058",
    "Italian": "f88414c27d0606a11a678b4859277828c2565d6cc4d9ee932deef6e94f3b35e4",
    "Japanese": "e0e717e114fec3e7eade4d9dabe0067c475f43147e36a22b47902ee76ad9e67f",
    "Korean": "cd54221ccb362a6cba4c78828838cf3268a0e59744767a37cf6ec4b74036b136",
    "Polish": "45bab898af2f60ed3a728bbf6980e28821011a7caa53227553b5785903a40826",
    "Portuguese": "50a8735f41f4f73757c8ce5b16cb0275cd86b2b214bcbc8c9805f508cb131c53",
    "Russian": "0cfe53ac18041e8f63666aa77313e0a3ff378facb132abee052d8ebdc8c3d62c",
    "Scottish": "78d0252711d87d948ea86fe34826c51d2d794a8e52d15b5d6f7b6244d45d62dd",
    "Spanish": "1bcb462ed3316756a85781d68232bddae04498fdddd5d9219c53fd1fbdeba7a7",
    "Vietnamese": "f3f9e4164ab47601178a6e45b216464a64122f49d05541f24bf18a757253281d",
}


def _etth(number: int, num_bytes: int, sha256: str) -> DatasetInfo:
    return DatasetInfo(
        name=f"etth{number}",
        title=f"Electricity transformer temperature, hourly (ETTh{number})",
        task="forecasting",
        num_rows=17_420,
        licence="CC BY-ND 4.0",
        source="https://github.com/zhouhaoyi/ETDataset",
        description="17,420 hours of 7 series: six loads and the oil temperature of a transformer.",
        offline=False,
        urls=(f"{_GITHUB}/zhouhaoyi/ETDataset/main/ETT-small",),
        files=(RemoteFile(f"ETTh{number}.csv", num_bytes, sha256),),
        citation="Zhou et al., Informer: Beyond Efficient Transformer for Long Sequence Forecasting, AAAI 2021",
        options={"task": "forecasting", "time_split": "8640/2880/2880"},
    )


def _wine_quality(colour: str, num_rows: int) -> DatasetInfo:
    return DatasetInfo(
        name=f"wine-quality-{colour}",
        title=f"Wine quality, {colour} vinho verde",
        task="regression",
        num_rows=num_rows,
        licence=_CC_BY,
        source=f"{_UCI}/dataset/186/wine+quality",
        description=f"{num_rows:,} {colour} wines, 11 chemical measures, a score from 0 to 10.",
        offline=False,
        urls=(f"{_UCI_FILES}/wine-quality",),
        files=(RemoteFile(f"winequality-{colour}.csv"),),
        citation="Cortez et al., Modeling wine preferences by data mining, Decision Support Systems 47(4), 2009",
        options={"target": "quality", "task": "regression"},
    )


def _movielens(name: str, title: str, num_rows: int, inside: str) -> DatasetInfo:
    return DatasetInfo(
        name=name,
        title=title,
        task="rating",
        num_rows=num_rows,
        licence=_MOVIELENS_TERMS,
        source="https://grouplens.org/datasets/movielens/",
        description=f"{num_rows:,} ratings of movies by users, with their time.",
        offline=False,
        urls=(_GROUPLENS,),
        files=(RemoteFile(f"{inside}.zip"),),
        citation=_HARPER,
        inside=inside,
        options={"task": "rating"},
    )


PUBLIC = (
    DatasetInfo(
        name="fashion-mnist",
        title="Fashion-MNIST",
        task="classification",
        num_rows=70_000,
        licence="MIT",
        source="https://github.com/zalandoresearch/fashion-mnist",
        description="70,000 grey pictures of clothing, 28x28 pixels, 10 classes, with an official test part of 10,000.",
        offline=False,
        urls=(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
            f"{_GITHUB}/zalandoresearch/fashion-mnist/master/data/fashion",
        ),
        files=(
            RemoteFile(
                "train-images-idx3-ubyte.gz",
                26_421_880,
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            ),
            RemoteFile(
                "train-labels-idx1-ubyte.gz", 29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"
            ),
            RemoteFile(
                "t10k-images-idx3-ubyte.gz",
                4_422_102,
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            ),
            RemoteFile(
                "t10k-labels-idx1-ubyte.gz", 5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"
            ),
        ),
        citation="Xiao, Rasul and Vollgraf, Fashion-MNIST, arXiv:1708.07747",
        form="idx",
        classes=(
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
    ),
    DatasetInfo(
        name="mnist",
        title="MNIST handwritten digits",
        task="classification",
        num_rows=70_000,
        licence="CC BY-SA 3.0",
        source="http://yann.lecun.com/exdb/mnist/",
        description="70,000 grey pictures of handwritten digits, 28x28 pixels, with an official test part of 10,000.",
        offline=False,
        urls=("http://yann.lecun.com/exdb/mnist", "https://ossci-datasets.s3.amazonaws.com/mnist"),
        files=(
            RemoteFile("train-images-idx3-ubyte.gz", 9_912_422),
            RemoteFile("train-labels-idx1-ubyte.gz", 28_881),
            RemoteFile("t10k-images-idx3-ubyte.gz", 1_648_877),
            RemoteFile("t10k-labels-idx1-ubyte.gz", 4_542),
        ),
        citation="LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document recognition, 1998",
        form="idx",
        classes=_DIGITS,
    ),
    DatasetInfo(
        name="cifar-10",
        title="CIFAR-10",
        task="classification",
        num_rows=60_000,
        licence="Not stated by the makers",
        source="https://www.cs.toronto.edu/~kriz/cifar.html",
        description="60,000 colour pictures, 32x32 pixels, 10 classes, with an official test part of 10,000.",
        offline=False,
        urls=("https://www.cs.toronto.edu/~kriz",),
        files=(RemoteFile("cifar-10-binary.tar.gz", md5="c32a1d4ab5d03f1284b67883e8d87530"),),
        citation="Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009",
        form="cifar",
        classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    ),
    DatasetInfo(
        name="ag-news",
        title="AG News",
        task="classification",
        num_rows=127_600,
        licence="Non-commercial use (see the page of the makers)",
        source="http://groups.di.unipi.it/~gulli/AG_corpus_of_news_articles.html",
        description="127,600 news with title and description, 4 topics, with an official test part of 7,600.",
        offline=False,
        urls=(f"{_GITHUB}/mhjabreel/CharCnn_Keras/master/data/ag_news_csv",),
        files=(RemoteFile("train.csv"), RemoteFile("test.csv")),
        citation="Zhang, Zhao and LeCun, Character-level Convolutional Networks for Text Classification, NIPS 2015",
        form="ag-news",
        classes=("World", "Sports", "Business", "Sci/Tech"),
        options={"target": "topic", "roles": {"title": "text", "description": "text"}},
    ),
    DatasetInfo(
        name="imdb",
        title="IMDB movie reviews",
        task="classification",
        num_rows=50_000,
        licence="Not stated by the makers",
        source="https://ai.stanford.edu/~amaas/data/sentiment/",
        description="50,000 reviews of movies, positive or negative, with an official test part of 25,000.",
        offline=False,
        urls=("https://ai.stanford.edu/~amaas/data/sentiment",),
        files=(RemoteFile("aclImdb_v1.tar.gz"),),
        citation="Maas et al., Learning Word Vectors for Sentiment Analysis, ACL 2011",
        inside="aclImdb",
        leave_out=("aclImdb/train/unsup",),
    ),
    DatasetInfo(
        name="speech-commands",
        title="Speech Commands v0.02",
        task="classification",
        num_rows=105_829,
        licence=_CC_BY,
        source="https://arxiv.org/abs/1804.03209",
        description="105,829 recordings of a second, 35 words, with official parts (testing_list.txt: 11,005).",
        offline=False,
        urls=("http://download.tensorflow.org/data",),
        files=(RemoteFile("speech_commands_v0.02.tar.gz"),),
        citation="Warden, Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition, arXiv:1804.03209",
        leave_out=("_background_noise_",),
        options={"clip_seconds": 1.0},
    ),
    DatasetInfo(
        name="free-spoken-digit",
        title="Free Spoken Digit Dataset",
        task="classification",
        num_rows=3_000,
        licence="CC BY-SA 4.0",
        source="https://github.com/Jakobovski/free-spoken-digit-dataset",
        description="3,000 recordings of spoken digits by 6 speakers; recordings 0 to 4 of each are the test part.",
        offline=False,
        urls=("https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags",),
        files=(RemoteFile("free-spoken-digit-dataset-1.0.10.zip", path="v1.0.10.zip"),),
        citation="Jackson et al., Free Spoken Digit Dataset v1.0.10, doi:10.5281/zenodo.1342401",
        inside="free-spoken-digit-dataset-1.0.10/recordings",
        options={"pattern": "{label}_{speaker}_{index}", "test_where": "index<5"},
    ),
    _movielens("movielens", "MovieLens 100K", 100_000, "ml-100k"),
    _movielens("movielens-1m", "MovieLens 1M", 1_000_209, "ml-1m"),
    _etth(1, 2_589_657, "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066"),
    _etth(2, 2_417_960, "a3dc2c597b9218c7ce1cd55eb77b283fd459a1d09d753063f944967dd6b9218b"),
    DatasetInfo(
        name="adult",
        title="Adult (census income)",
        task="classification",
        num_rows=48_842,
        licence=_CC_BY,
        source=f"{_UCI}/dataset/2/adult",
        description="48,842 people, 14 census attributes, income above 50,000 or not; an official test part of 16,281.",
        offline=False,
        urls=(f"{_UCI_FILES}/adult",),
        files=(RemoteFile("adult.data"), RemoteFile("adult.test")),
        citation="Becker and Kohavi, Adult, UCI, 1996, doi:10.24432/C5XW20",
        form="adult",
        options={"target": "income"},
    ),
    _wine_quality("red", 1_599),
    _wine_quality("white", 4_898),
    DatasetInfo(
        name="clinc150",
        title="CLINC150, intents of short queries",
        task="classification",
        num_rows=23_700,
        licence="CC BY 3.0",
        source="https://github.com/clinc/oos-eval",
        description="23,700 short queries, 150 intents and out-of-scope, with official parts.",
        offline=False,
        urls=(f"{_GITHUB}/clinc/oos-eval/master/data",),
        files=(
            RemoteFile("data_full.json", 2_495_390, "36923c3705a59e08fe9c3883d8bc2dd966ef93e22cb78ac41171782a698d56e0"),
        ),
        citation="Larson et al., An Evaluation Dataset for Intent Classification, EMNLP-IJCNLP 2019",
    ),
    DatasetInfo(
        name="names",
        title="Surnames of 18 languages",
        task="classification",
        num_rows=20_050,
        licence="MIT",
        source="https://github.com/spro/practical-pytorch",
        description="20,050 surnames, 18 languages, very unequal.",
        offline=False,
        urls=(f"{_GITHUB}/spro/practical-pytorch/master/data/names",),
        files=tuple(RemoteFile(f"{name}.txt", sha256=sha256) for name, sha256 in _NAMES_SHA256.items()),
        citation="Robertson, Classifying Names with a Character-Level RNN, 2017",
    ),
    DatasetInfo(
        name="tiny-shakespeare",
        title="Tiny Shakespeare",
        task="language",
        num_rows=1,
        licence="Public domain",
        source="https://github.com/karpathy/char-rnn",
        description="40,000 lines of Shakespeare, 1,115,394 characters, 65 different ones.",
        offline=False,
        urls=(f"{_GITHUB}/karpathy/char-rnn/master/data/tinyshakespeare",),
        files=(RemoteFile("input.txt", 1_115_394, "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"),),
        citation="Karpathy, The Unreasonable Effectiveness of Recurrent Neural Networks, 2015",
        options={"task": "language"},
    ),
)
