"""Connectionist temporal classification: sentences from a score for each token at each frame.

A. Graves, S. Fernandez, F. Gomez, J. Schmidhuber: Connectionist temporal classification: labelling unsegmented
sequence data with recurrent neural networks. ICML 2006.

A path assigns a token or the blank to each frame; it spells what is left once repetitions are merged and then blanks
removed, so a letter that occurs twice in a row needs a blank in between.
"""

from sigconv.ctc.decoder import DECODERS, Decoder, Transcript, decoder_from, make_decoder
from sigconv.ctc.padding import end_after
from sigconv.ctc.tokens import BLANK, Tokens

__all__ = ["BLANK", "DECODERS", "Decoder", "Tokens", "Transcript", "decoder_from", "end_after", "make_decoder"]
