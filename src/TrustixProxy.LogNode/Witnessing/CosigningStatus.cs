namespace TrustixProxy.LogNode.Witnessing;

/// <summary>What the last round of asking witnesses came to.</summary>
/// <param name="Lack">What the newest head lacks; null when it has its quorum.</param>
/// <param name="Answering">Number of witnesses that cosigned.</param>
/// <param name="QuorumAt">Time of the newest cosignature of a head with its quorum; before the first, when the process started.</param>
internal sealed record CosigningStatus(string? Lack, int Answering, DateTimeOffset QuorumAt);
