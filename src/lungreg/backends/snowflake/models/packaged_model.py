"""The model as Snowflake runs it: rows of file bytes in, rows of metrics and file bytes out.

Without `from __future__ import annotations`: Snowflake compares the annotations of `predict` by
identity. The class is pickled into the model by value; the rest of the package lies beside it.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from snowflake.ml.model.custom_model import CustomModel, ModelContext, inference_api

if TYPE_CHECKING:
    from lungreg.backends.snowflake.models.row_registration import RowRegistration


class PackagedModel(CustomModel):  # type: ignore[misc]  # Snowflake ships no types
    """Registers pairs with the weights and the card that are stored with it.

    The files "card" and "weights" of its context are read with the first row, so that storing a
    model needs no PyTorch.
    """

    def __init__(self, context: ModelContext) -> None:
        super().__init__(context)
        self._registration: RowRegistration | None = None

    @inference_api  # type: ignore[untyped-decorator]  # Snowflake ships no types
    def predict(self, rows: pd.DataFrame, *, settings: str = "{}") -> pd.DataFrame:
        """Register each row.

        Args:
            rows: The columns of `models.rows.INPUT_COLUMNS`.
            settings: Of the run, as `models.rows.settings_text` writes them.

        Returns:
            A row for each, failed ones too, with the columns of `models.rows.OUTPUT_COLUMNS`.
        """
        from lungreg.backends.snowflake.models.rows import OUTPUT_COLUMNS, output_row

        done = self._load().register(rows.to_dict("records"), settings)
        answer = [output_row(output) for output in done]
        return pd.DataFrame(answer, columns=[*OUTPUT_COLUMNS], dtype=object)

    def _load(self) -> "RowRegistration":
        from lungreg.backends.snowflake.models.row_registration import RowRegistration
        from lungreg.records import ModelCard

        if self._registration is None:
            card = ModelCard.from_json(Path(self.context.path("card")).read_bytes())
            weights = Path(self.context.path("weights")).read_bytes()
            self._registration = RowRegistration(card, weights)
        return self._registration
