using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Substitution;

/// <summary>What clients of GNU Guix get otherwise than clients of Nix.</summary>
/// <param name="PublicKey">The key that they authorize.</param>
/// <remarks>Guix keeps an answer for as long as it says, else a narinfo for 36 hours; a refusal it keeps for two minutes, and takes any
/// other status for one. Source: Guix <c>guix/substitutes.scm</c>.</remarks>
internal sealed record GuixAnswers(GuixPublicKey PublicKey)
{
    /// <summary>The route of the public key, as <c>guix publish</c> has it.</summary>
    public const string KeyPath = "/signing-key.pub";

    /// <summary>Content type of a narinfo.</summary>
    public const string NarInfoType = "application/x-nix-narinfo";

    /// <summary>How long a client keeps a narinfo: a revocation must reach those that take NARs from elsewhere.</summary>
    public const string NarInfoLifetime = "max-age=3600";

    /// <summary>How long a client keeps a refusal.</summary>
    public const string RefusalLifetime = "max-age=60";

    /// <summary>The text of the public key.</summary>
    public byte[] KeyText { get; } = System.Text.Encoding.ASCII.GetBytes(PublicKey.ToLines());
}
