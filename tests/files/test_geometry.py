from __future__ import annotations

import numpy as np
import pytest

from asclip.errors import FileError
from asclip.files.geometry import house_axes, stack, to_house, voxel_spacing

TURN = np.array([1.0, 0, 0, 0, 1, 0])


def test_small_rounding_of_positions_is_accepted():
    places = np.array([[0, 0, height] for height in (0, 3.01, 5.99, 9.0, 12.02)])
    order, affine = stack(places[[2, 0, 1, 4, 3]], TURN, (1.0, 1.0))
    assert order.tolist() == [1, 2, 0, 4, 3]
    assert voxel_spacing(affine)[2] == pytest.approx(3.005)


def test_slices_beside_the_line_and_bad_directions():
    places = np.array([[0, 0, height] for height in (0.0, 3, 6, 9)])
    places[2, 0] = 40
    with pytest.raises(FileError, match="one line: slice 3 of 4"):
        stack(places, TURN, (1.0, 1.0))
    with pytest.raises(FileError, match="perpendicular"):
        stack(places, np.array([1.0, 0, 0, 1, 0, 0]), (1.0, 1.0))


def test_coronal_series_gets_house_order():
    # Rows to the patient's left, columns to the feet: as a coronal slice is shown.
    turn = np.array([1.0, 0, 0, 0, 0, -1])
    places = np.array([[0.0, back, 0] for back in (0, 2, 4)])
    order, affine = stack(places, turn, (1.0, 1.0))
    block = np.arange(3 * 4 * 5).reshape(3, 4, 5)[order]  # [K, R, C]
    turned, spacing = to_house(block.transpose(1, 2, 0), affine)
    assert turned.shape == (4, 3, 5)
    assert spacing == (1.0, 2.0, 1.0)
    # Top row of the picture is superior, so it is last along Z; order of columns stays.
    first = int(np.flatnonzero(order == 0)[0])
    anterior = block[first]  # y = 0 is the most anterior of the three (LPS y grows backwards)
    np.testing.assert_array_equal(turned[::-1, 0], anterior)


def test_oblique_takes_the_nearest_axes_and_unknown_geometry_is_refused():
    from scipy.spatial.transform import Rotation

    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", [30, 20, -25], degrees=True).as_matrix()
    assert house_axes(affine) == ((2, 1, 0), (False, True, True))
    affine[0, 0] = np.nan
    with pytest.raises(FileError, match="known size and direction"):
        house_axes(affine)
