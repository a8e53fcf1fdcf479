using System.Text;
using TrustixProxy.Nix;

namespace TrustixProxy.Simulation;

/// <summary>One binary cache: an elector that signs, or an upstream that NARs come from.</summary>
/// <param name="key">What it signs with; null when it does not.</param>
internal sealed class SimulatedCache(NixSecretKey? key)
{
    /// <summary>How it lies from now on.</summary>
    public Lie Lie { get; set; }

    /// <summary>What it has; null when it has nothing.</summary>
    public NarInfo? Has { get; set; }

    /// <summary>What it has under a false name, or in the place of something else.</summary>
    public NarInfo? Instead { get; set; }

    /// <summary>Who has signed what it relays as its own.</summary>
    public NixSecretKey? Relayed { get; set; }

    /// <summary>The narinfo's bytes; null when it has none of this digest.</summary>
    public byte[]? Answer(string digest)
    {
        var narInfo = Lie switch
        {
            Lie.CacheOtherName or Lie.CacheOtherPath or Lie.CacheFalseClaim => Instead,
            Lie.UpstreamWrongName or Lie.UpstreamFalseHash or Lie.UpstreamFalseSize or Lie.UpstreamInjectedAddress => Instead,
            _ => Has,
        };
        if (Lie is Lie.CacheHtml or Lie.UpstreamHtml)
        {
            return "<html><body>This domain is for sale</body></html>"u8.ToArray();
        }

        return narInfo is null || (narInfo.StorePath.Digest.ToString() != digest && Lie is not Lie.CacheOtherPath) ? null
            : Encoding.ASCII.GetBytes(Signed(narInfo).ToString());
    }

    private NarInfo Signed(NarInfo narInfo) => Lie switch
    {
        Lie.CacheForgedSignature => narInfo with { Signatures = [key!.Sign(narInfo.Fingerprint + "x")] },
        Lie.UpstreamForgedSignature => narInfo with { Signatures = [Relayed!.Sign(narInfo.Fingerprint + "x")] },
        Lie.CacheRelayedSignature => narInfo with { Signatures = [Relayed!.Sign(narInfo.Fingerprint)] },
        _ => key is null ? narInfo : narInfo with { Signatures = [key.Sign(narInfo.Fingerprint)] },
    };
}
