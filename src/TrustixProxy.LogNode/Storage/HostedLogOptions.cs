using System.Collections.Immutable;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.LogNode.Storage;

/// <summary>Configures a hosted log.</summary>
/// <param name="Name">The log's name in messages and of its file; unique.</param>
/// <param name="Signer">Signs the heads; unique among the logs.</param>
/// <param name="WriteTokens">Keys whose tokens allow writes.</param>
public sealed record HostedLogOptions(string Name, LogSigner Signer, ImmutableArray<NixPublicKey> WriteTokens)
{
    /// <summary>The log's name in checkpoints; null for a log without them.</summary>
    public string? Origin { get; init; }

    /// <summary>Who must see each head; null for a log without witnesses. Needs an origin.</summary>
    public WitnessOptions? Witnesses { get; init; }
}

/// <summary>Configures who cosigns a log's heads.</summary>
/// <param name="Policy">The witnesses, with their URLs, and how many of them are needed.</param>
/// <param name="Interval">Time between rounds.</param>
/// <param name="IsWithheld">Whether readers see a head only once it has its quorum.</param>
public sealed record WitnessOptions(WitnessPolicy Policy, TimeSpan Interval, bool IsWithheld)
{
    /// <summary>The witnesses that are asked: those with an address, whose cosignatures can be verified.</summary>
    public IEnumerable<PolicyWitness> Asked => Policy.Witnesses.Where(witness => witness.Url is not null && witness.Key.IsVerifiable);
}
