using System.Buffers;

namespace TrustixProxy.Nix;

/// <summary>What a build trace is asked by: one output of a derivation whose output path is not known before it is built.</summary>
/// <remarks>
/// <code>
/// realisations/sha256:HEX!OUTPUT.doi       2.4 to 2.34: the derivation's hash, modulo the outputs of its inputs
/// build-trace-v2/DRV/OUTPUT.doi            2.35 and later: the derivation itself, its inputs resolved
/// </code>
/// Source: nix <c>realisation.cc</c>, <c>binary-cache-store.cc</c>.</remarks>
public abstract record TraceKey
{
    private const string HashPrefix = "realisations/", TracePrefix = "build-trace-v2/", Suffix = ".doi", Algorithm = "sha256:",
        MainOutput = "out", DerivationSuffix = ".drv";

    private const int HexLength = 64;

    private static readonly SearchValues<char> Hex = SearchValues.Create("0123456789abcdef");

    private TraceKey(string output) => Output = output;

    /// <summary>The output's name.</summary>
    public string Output { get; }

    /// <summary>The whole key as text, different for different keys.</summary>
    public abstract string Text { get; }

    /// <summary>The file's address below a cache's.</summary>
    public abstract string Address { get; }

    /// <summary>Whether the key determines the name of the output path, so that a policy's scope can be chosen by it.</summary>
    public abstract bool HasName { get; }

    /// <summary>Parses exactly an <see cref="Address"/>, without its escapes.</summary>
    public static bool TryParse(ReadOnlySpan<char> address, [NotNullWhen(true)] out TraceKey? key)
    {
        key = null;
        if (!address.EndsWith(Suffix))
        {
            return false;
        }

        var name = address[..^Suffix.Length];
        key = name.StartsWith(HashPrefix) ? ParseHash(name[HashPrefix.Length..])
            : name.StartsWith(TracePrefix) ? ParseDerivation(name[TracePrefix.Length..]) : null;
        return key is not null;
    }

    /// <summary>Parses exactly the <see cref="Text"/> of a hash's key: <c>sha256:HEX!OUTPUT</c>.</summary>
    public static bool TryParseHash(ReadOnlySpan<char> text, [NotNullWhen(true)] out TraceKey? key) => (key = ParseHash(text)) is not null;

    /// <summary>Whether the output of this key can be at a path.</summary>
    public abstract bool MayBeAt(StorePath path);

    /// <summary>The key of a hash.</summary>
    public sealed record OfHash : TraceKey
    {
        internal OfHash(string hash, string output)
            : base(output) => Text = $"{hash}!{output}";

        /// <inheritdoc/>
        public override string Text { get; }

        /// <inheritdoc/>
        public override string Address => $"{HashPrefix}{Text.Replace("?", "%3F", StringComparison.Ordinal)}{Suffix}";

        /// <inheritdoc/>
        public override bool HasName => false;

        /// <inheritdoc/>
        public override bool MayBeAt(StorePath path) => path.Store == Store.Nix;
    }

    /// <summary>The key of a derivation.</summary>
    public sealed record OfDerivation : TraceKey
    {
        internal OfDerivation(StorePath derivation, string output)
            : base(output) => Derivation = derivation;

        /// <summary>The derivation, all of whose inputs are resolved.</summary>
        public StorePath Derivation { get; }

        /// <inheritdoc/>
        public override string Text => $"{Derivation}^{Output}";

        /// <inheritdoc/>
        public override string Address => $"{TracePrefix}{$"{Derivation}/{Output}".Replace("?", "%3F", StringComparison.Ordinal)}{Suffix}";

        /// <inheritdoc/>
        public override bool HasName => true;

        /// <inheritdoc/>
        public override bool MayBeAt(StorePath path) => path.Store == Store.Nix
            && path.Name == Derivation.Name[..^DerivationSuffix.Length] + (Output is MainOutput ? "" : $"-{Output}");
    }

    private static OfHash? ParseHash(ReadOnlySpan<char> text) =>
        text.Length > Algorithm.Length + HexLength && text.StartsWith(Algorithm)
            && !text[Algorithm.Length..(Algorithm.Length + HexLength)].ContainsAnyExcept(Hex)
            && text[Algorithm.Length + HexLength] is '!'
            && IsOutput(text[(Algorithm.Length + HexLength + 1)..])
            ? new OfHash(text[..(Algorithm.Length + HexLength)].ToString(), text[(Algorithm.Length + HexLength + 1)..].ToString()) : null;

    private static OfDerivation? ParseDerivation(ReadOnlySpan<char> text) =>
        text.IndexOf('/') is var slash and > 0 && text[..slash].EndsWith(DerivationSuffix)
            && StorePath.TryParse(text[..slash], out var derivation, out _) && derivation.Name.Length > DerivationSuffix.Length
            && IsOutput(text[(slash + 1)..])
            ? new OfDerivation(derivation, text[(slash + 1)..].ToString()) : null;

    /// <summary>Whether a text is the name of an output: what the name of a path may be.</summary>
    private static bool IsOutput(ReadOnlySpan<char> text) =>
        StorePath.TryParse($"{new string('0', StorePathDigest.Length)}-{text}", out _, out _);
}
