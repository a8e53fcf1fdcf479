using System.Collections.Immutable;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.LogNode.Storage;

/// <summary>A log that the node keeps.</summary>
/// <param name="Name">The name in messages, and of its file; unique.</param>
/// <param name="Signer">What signs its heads; no two logs have the same.</param>
/// <param name="WriteTokens">Whose tokens may write to it.</param>
public sealed record HostedLogOptions(string Name, LogSigner Signer, ImmutableArray<NixPublicKey> WriteTokens);
