using System.Security.Cryptography;
using System.Text;

namespace TrustixProxy.Nix;

/// <summary>The part of a store object that a content address hashes.</summary>
public enum ContentAddressMethod
{
    /// <summary>The contents of one regular file (<c>fixed:</c>).</summary>
    Flat,

    /// <summary>The NAR (<c>fixed:r:</c>).</summary>
    Nar,

    /// <summary>The git tree (<c>fixed:git:</c>, experimental in Nix).</summary>
    Git,

    /// <summary>The contents of a text file that may have references (<c>text:</c>); SHA-256 only.</summary>
    Text,
}

/// <summary>A narinfo's <c>CA</c> line: the store path follows from the contents, with references and name.</summary>
/// <remarks>The line is not signed: anyone on the way may add it. One that does not fit crashes clients (<c>assert(info->path ==
/// info2->path)</c>), so it is sent only after <see cref="Matches"/>. Source: nix <c>content-address.cc</c>,
/// <c>store-dir-config.cc</c>.</remarks>
public sealed record ContentAddress
{
    private static readonly (string Text, ContentAddressMethod Method)[] Prefixes =
    [
        ("fixed:r:", ContentAddressMethod.Nar),
        ("fixed:git:", ContentAddressMethod.Git),
        ("fixed:", ContentAddressMethod.Flat),
        ("text:", ContentAddressMethod.Text),
    ];

    private ContentAddress(ContentAddressMethod method, NixHash hash) => (Method, Hash) = (method, hash);

    /// <summary>The part that is hashed.</summary>
    public ContentAddressMethod Method { get; }

    /// <summary>The hash; "modulo" the path's own digest when it references itself.</summary>
    public NixHash Hash { get; }

    /// <summary>Whether a streaming NAR can be checked against it.</summary>
    public bool IsCheckable =>
        Method is not ContentAddressMethod.Git && Hash.Algorithm is NixHashAlgorithm.Sha256 or NixHashAlgorithm.Sha512;

    /// <summary>Parses exactly <c>fixed:[r:|git:]algo:digits</c> or <c>text:sha256:digits</c>.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, [NotNullWhen(true)] out ContentAddress? address)
    {
        address = null;
        foreach (var (prefix, method) in Prefixes)
        {
            if (text.StartsWith(prefix))
            {
                address = TryParseHash(text[prefix.Length..], out var hash) ? new ContentAddress(method, hash) : null;
                break;
            }
        }

        return address is not null;
    }

    /// <summary>Whether this address, <paramref name="references"/> and the path's name yield <paramref name="path"/>, and a plain NAR hash
    /// equals the path's.</summary>
    /// <param name="path">The path; among the references if it references itself.</param>
    /// <param name="references">All its references.</param>
    /// <param name="narHash">SHA-256 of its NAR.</param>
    public bool Matches(StorePath path, IEnumerable<StorePath> references, NixHash narHash)
    {
        var others = references.Distinct().Order().ToList();
        var self = others.Remove(path);
        var plainNar = Method is ContentAddressMethod.Nar && Hash.Algorithm is NixHashAlgorithm.Sha256 && !self;
        return TryMakePath(path.Name, others, self, out var made) && made == path && (!plainNar || Hash == narHash);
    }

    /// <summary>Computes the store path of this address.</summary>
    /// <param name="name">The name of the path.</param>
    /// <param name="references">Its references to other paths, sorted, without repeats.</param>
    /// <param name="self">Whether it references itself.</param>
    /// <param name="path">The path, or null when this method allows no such references.</param>
    public bool TryMakePath(string name, IReadOnlyCollection<StorePath> references, bool self, [NotNullWhen(true)] out StorePath? path)
    {
        var isSource = Method is ContentAddressMethod.Nar && Hash.Algorithm is NixHashAlgorithm.Sha256;
        var isText = Method is ContentAddressMethod.Text;
        path = (isSource, isText) switch
        {
            (true, _) => Make(TypeWith("source", references, self), Hash.ToBase16(), name),
            (_, true) when !self && Hash.Algorithm is NixHashAlgorithm.Sha256 =>
                Make(TypeWith("text", references, false), Hash.ToBase16(), name),
            (false, false) when !self && references.Count is 0 => Make("output:out", FixedOutputHash(), name),
            _ => null,
        };
        return path is not null;
    }

    /// <summary>Returns the line's value, with the hash in nix32.</summary>
    public override string ToString() => Method is ContentAddressMethod.Text ? $"text:{Hash}" : $"fixed:{Infix}{Hash}";

    private static bool TryParseHash(ReadOnlySpan<char> text, [NotNullWhen(true)] out NixHash? hash)
    {
        hash = null;
        var colon = text.IndexOf(':');
        return colon > 0
            && NixHash.TryParseAlgorithm(text[..colon], out var algorithm)
            && NixHash.TryParseDigits(algorithm, text[(colon + 1)..], out hash, out _);
    }

    private string Infix => Method switch { ContentAddressMethod.Nar => "r:", ContentAddressMethod.Git => "git:", _ => "" };

    private string FixedOutputHash() => $"sha256:{Hex($"fixed:out:{Infix}{Hash.ToBase16()}:")}";

    private static string TypeWith(string type, IEnumerable<StorePath> references, bool self) =>
        string.Concat([type, .. references.Select(reference => ":" + reference.Absolute), self ? ":self" : ""]);

    private static StorePath Make(string type, string inner, string name)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{type}:{inner}:{Store.Nix.Directory}:{name}"));
        var folded = new byte[20];
        for (var i = 0; i < hash.Length; i++)
        {
            folded[i % folded.Length] ^= hash[i];
        }

        return StorePath.Create(StorePathDigest.FromBytes(folded), name);
    }

    private static string Hex(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
