"""Connectionist temporal classification: sentences from one score of each token at each frame.

A. Graves, S. Fernandez, F. Gomez, J. Schmidhuber: Connectionist temporal classification: labelling unsegmented
sequence data with recurrent neural networks. ICML 2006.

A path gives each frame a token or the blank; what it spells is what is left of it once repetitions are joined and
blanks taken out, so that a letter that comes twice in a row needs a blank between.
"""

from sigconv.ctc.decoder import DECODERS, Decoder, TimedWord, Transcript, decoder_from, make_decoder
from sigconv.ctc.tokens import BLANK, Tokens

__all__ = ["BLANK", "DECODERS", "Decoder", "TimedWord", "Tokens", "Transcript", "decoder_from", "make_decoder"]
