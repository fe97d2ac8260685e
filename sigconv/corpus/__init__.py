"""One on-disk format for every corpus: read with `Corpus.load(folder)`, made with `write_corpus`."""

from sigconv.corpus.form import CorpusInfo, Example, split_hash
from sigconv.corpus.reader import Corpus, Split
from sigconv.corpus.writer import is_free, write_corpus

__all__ = ["Corpus", "CorpusInfo", "Example", "Split", "is_free", "split_hash", "write_corpus"]
