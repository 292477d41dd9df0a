from .bent_power_law import BentPowerLaw as BentPowerLaw
from .chinchilla import Chinchilla as Chinchilla
from .experts import Experts as Experts
from .fading_transfer import FadingTransfer as FadingTransfer
from .few_steps import FewSteps as FewSteps
from .heteroscedastic_chinchilla import HeteroscedasticChinchilla as HeteroscedasticChinchilla
from .joint_experts import JointExperts as JointExperts
from .kaplan import Kaplan as Kaplan
from .learning_curve import LearningCurve as LearningCurve
from .mixture import Mixture as Mixture
from .overfitting import Overfitting as Overfitting
from .pooled import Pooled as Pooled
from .power_law import PowerLaw as PowerLaw
from .pretraining_size import PretrainingSize as PretrainingSize
from .rectified import Rectified as Rectified
from .repeated_data import RepeatedData as RepeatedData
from .scratch import Scratch as Scratch
from .shifted_compute import ShiftedCompute as ShiftedCompute
from .shifted_power_law import ShiftedPowerLaw as ShiftedPowerLaw
from .sigmoid_accuracy import SigmoidAccuracy as SigmoidAccuracy
from .superset import Superset as Superset
from .superset_in_compute import SupersetInCompute as SupersetInCompute
from .superset_in_flops import SupersetInFlops as SupersetInFlops
from .transfer import Transfer as Transfer
from .two_step import TwoStep as TwoStep
from .vocabulary import Vocabulary as Vocabulary

LAWS: dict[str, str]
