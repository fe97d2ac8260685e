"""What one place sees of the input."""

from sigconv.notation.receptive_field import ReceptiveField
from sigconv.window import Window


def test_receptive_field_grows_layer_by_layer() -> None:
    field = ReceptiveField.of_input(1)
    for window in (Window.parse((3,), padding=1), Window.parse((2,), 2), Window.parse((3,), dilation=2)):
        field = field.through(window)
    # 3 samples; two neighbours of them: 4, jump 2; then three places 2 * 2 samples apart: 4 + 2 * 4.
    assert (field.size, field.jump) == ((12,), (2,))
