"""How a fine-tune steps: the recipe's own rate by the pace, and a loss where an answer stands and nowhere else.

Imported only by a fine-tune: it needs the packages of the `train` extra.
"""

from typing import Any

import torch
from transformers import TrainerCallback
from trl import SFTTrainer

from casemate.factory.pacing import Pace, rate_at
from casemate.factory.recipe import Schedule


class PacedTrainer(SFTTrainer):  # type: ignore[misc]  # trl ships no types
    """Counts tokens, and takes its rate from the pace instead of from a count of steps alone."""

    def __init__(self, recipe: Schedule, pace: Pace, model: Any, **settings: Any) -> None:
        self._recipe, self._pace = recipe, pace
        super().__init__(model, **settings)

    def create_optimizer(self, *_: Any) -> Any:
        """Make the optimiser over the adapter's weights alone, with the recipe's rate."""
        # Set here because trl takes its own default for a rate that is given in the settings.
        weights = [one for one in self.model.parameters() if one.requires_grad]
        self.optimizer = torch.optim.AdamW(
            weights, lr=self._recipe.learning_rate, weight_decay=self._recipe.weight_decay
        )
        return self.optimizer

    def create_scheduler(self, *_: Any, **__: Any) -> Any:
        """Let the rate follow the pace."""
        self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda _: rate_at(self._pace.share(), self._recipe.warmup)
        )
        return self.lr_scheduler

    def compute_loss(self, model: Any, inputs: Any, *_: Any, num_items_in_batch: Any = None, **__: Any) -> Any:
        """Compute logits where an answer stands and nowhere else: the vocabulary is a fifth of a small model."""
        inner = self.accelerator.unwrap_model(model).get_base_model()
        labels = inputs["labels"][:, 1:]
        asked = labels != -100
        with torch.autocast(labels.device.type, torch.bfloat16, enabled=self._recipe.precision == "bf16"):
            hidden = inner.model(inputs["input_ids"], attention_mask=inputs["attention_mask"]).last_hidden_state
            logits = inner.lm_head(hidden[:, :-1][asked])
        total = torch.nn.functional.cross_entropy(logits.float(), labels[asked], reduction="sum")
        return total / (num_items_in_batch if num_items_in_batch is not None else asked.sum())

    def training_step(self, model: Any, inputs: Any, *rest: Any) -> Any:
        """Train on one batch and count it."""
        loss = super().training_step(model, inputs, *rest)
        self._pace.see(int(inputs["attention_mask"].sum()), float(loss.detach()))
        return loss


class Watch(TrainerCallback):  # type: ignore[misc]  # transformers ships no types
    """Tells how far it is after each step, and ends the run when its time is over."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace

    def on_step_end(self, _args: Any, _state: Any, control: Any, *, optimizer: Any, **_: Any) -> None:
        """Count the step."""
        self._pace.step(optimizer.param_groups[0]["lr"])
        if self._pace.over():
            control.should_training_stop = True

    def on_save(self, *_: Any, **__: Any) -> None:
        """Keep the counts beside the checkpoint."""
        self._pace.save()
