"""The channels that come with the package, one file each."""

from marlcomm.messages.channels.aggregation import AggregationChannel
from marlcomm.messages.channels.attention import AttentionChannel
from marlcomm.messages.channels.cluster import ClusterChannel
from marlcomm.messages.channels.discrete import DiscreteChannel
from marlcomm.messages.channels.gated import GatedChannel
from marlcomm.messages.channels.gaussian import GaussianChannel
from marlcomm.messages.channels.graph_attention import GraphAttentionChannel
from marlcomm.messages.channels.graph_convolution import GraphConvolutionChannel
from marlcomm.messages.channels.incentive import IncentiveChannel
from marlcomm.messages.channels.mean import MeanChannel
from marlcomm.messages.channels.memory import MemoryChannel
from marlcomm.messages.channels.quantized import QuantizedChannel
from marlcomm.messages.channels.request_reply import RequestReplyChannel
from marlcomm.messages.channels.shared import SharedChannel
from marlcomm.messages.channels.silent import SilentChannel
from marlcomm.messages.channels.value_messages import TemporalGatedChannel, VarianceGatedChannel

__all__ = [
    "AggregationChannel",
    "AttentionChannel",
    "ClusterChannel",
    "DiscreteChannel",
    "GatedChannel",
    "GaussianChannel",
    "GraphAttentionChannel",
    "GraphConvolutionChannel",
    "IncentiveChannel",
    "MeanChannel",
    "MemoryChannel",
    "QuantizedChannel",
    "RequestReplyChannel",
    "SharedChannel",
    "SilentChannel",
    "TemporalGatedChannel",
    "VarianceGatedChannel",
]
