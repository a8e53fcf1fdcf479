using System.Collections.Immutable;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.LogNode.Storage;

/// <summary>Configures a hosted log.</summary>
/// <param name="Name">The log's name in messages and of its file; unique.</param>
/// <param name="Signer">Signs the heads; unique among the logs.</param>
/// <param name="WriteTokens">Keys whose tokens allow writes.</param>
public sealed record HostedLogOptions(string Name, LogSigner Signer, ImmutableArray<NixPublicKey> WriteTokens)
{
    /// <summary>The log's name in checkpoints; null for a log without them.</summary>
    public string? Origin { get; init; }
}
