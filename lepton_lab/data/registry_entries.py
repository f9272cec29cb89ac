"""The public datasets that come with lepton_lab by name, with the hashes of their files.

Where the SHA-256 of the files are from:

| sets | who states it |
|---|---|
| Fashion-MNIST, ETT, CLINC150, names, Tiny Shakespeare | nobody; taken from the makers' files themselves |
| MNIST, CIFAR-10, IMDB, Speech Commands, Adult, MovieLens | TensorFlow Datasets (its lists of checksums) |
| AG News | torchtext states the MD5; projects that hold files of that MD5 state the SHA-256 |
| Wine quality | Julia's and Rust's collections of datasets; the rows at hand, written as UCI does, give the same |
| Free Spoken Digit | one project that uses the archive of this tag, with its size and commit |

A file without one is taken as it comes first, which is told (see `trust`); so it is with the files of plugins.
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


_WINE_QUALITY = {
    "red": (84_199, "4a402cf041b025d4566d954c3b9ba8635a3a8a01e039005d97d6a710278cf05e"),
    "white": (264_426, "76c3f809815c17c07212622f776311faeb31e87610d52c26d87d6e361b169836"),
}
"""Bytes and SHA-256."""


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
        files=(RemoteFile(f"winequality-{colour}.csv", *_WINE_QUALITY[colour]),),
        citation="Cortez et al., Modeling wine preferences by data mining, Decision Support Systems 47(4), 2009",
        options={"target": "quality", "task": "regression"},
    )


_MOVIELENS = {
    "ml-100k": (4_924_029, "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229"),
    "ml-1m": (5_917_549, "a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20"),
}
"""Bytes and SHA-256."""


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
        files=(RemoteFile(f"{inside}.zip", *_MOVIELENS[inside]),),
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
        urls=(
            "http://yann.lecun.com/exdb/mnist",
            "https://ossci-datasets.s3.amazonaws.com/mnist",
            "https://storage.googleapis.com/cvdf-datasets/mnist",
        ),
        files=(
            RemoteFile(
                "train-images-idx3-ubyte.gz",
                9_912_422,
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            ),
            RemoteFile(
                "train-labels-idx1-ubyte.gz", 28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
            ),
            RemoteFile(
                "t10k-images-idx3-ubyte.gz",
                1_648_877,
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            ),
            RemoteFile(
                "t10k-labels-idx1-ubyte.gz", 4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"
            ),
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
        files=(
            RemoteFile(
                "cifar-10-binary.tar.gz",
                170_052_171,
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                md5="c32a1d4ab5d03f1284b67883e8d87530",
            ),
        ),
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
        files=(
            RemoteFile(
                "train.csv",
                sha256="76a0a2d2f92b286371fe4d4044640910a04a803fdd2538e0f3f29a5c6f6b672e",
                md5="b1a00f826fdfbd249f79597b59e1dc12",
            ),
            RemoteFile(
                "test.csv",
                sha256="521465c2428ed7f02f8d6db6ffdd4b5447c1c701962353eb2c40d548c3c85699",
                md5="d52ea96a97a2d943681189a97654912d",
            ),
        ),
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
        files=(
            RemoteFile(
                "aclImdb_v1.tar.gz", 84_125_825, "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe"
            ),
        ),
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
        files=(
            RemoteFile(
                "speech_commands_v0.02.tar.gz",
                2_428_923_189,
                "af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
            ),
        ),
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
        files=(
            RemoteFile(
                "free-spoken-digit-dataset-1.0.10.zip",
                16_419_872,
                "c680098f5d2355ba7cc4bd8b0ca9e0a24c00ebe3b4c552208889a4d28d4fbc2b",
                path="v1.0.10.zip",
            ),
        ),
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
        files=(
            RemoteFile("adult.data", 3_974_305, "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d"),
            RemoteFile("adult.test", 2_003_153, "a2a9044bc167a35b2361efbabec64e89d69ce82d9790d2980119aac5fd7e9c05"),
        ),
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
