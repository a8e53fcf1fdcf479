namespace TrustixProxy.Nix;

/// <summary>The text that Nix signs: only store path, NAR hash, NAR size and references.</summary>
/// <remarks>Source: nix <c>src/libstore/path-info.cc</c>, <c>ValidPathInfo::fingerprint</c>, version 1.</remarks>
public static class Fingerprint
{
    /// <summary>Formats <c>1;path;sha256:nix32;size;ref,ref</c>: absolute paths, references sorted by byte and without repeats, no
    /// newline.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="narSize"/> is not positive: Nix signs no such thing.</exception>
    public static string Format(StorePath path, NixHash narHash, long narSize, IEnumerable<StorePath> references)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(narSize);
        var sorted = references.Distinct().Order().Select(reference => reference.Absolute);
        return $"1;{path.Absolute};{narHash};{narSize};{string.Join(',', sorted)}";
    }
}
