using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Primitives;

namespace TrustixProxy.Substituter.FrontDoor;

/// <summary>How a client says who it is. Source: RFC 7617 and RFC 6750.</summary>
public enum ClientScheme
{
    /// <summary>Name and password, as Nix sends them out of its netrc file.</summary>
    Basic,

    /// <summary>A token.</summary>
    Bearer,
}

/// <summary>Who may ask, where not everyone may.</summary>
/// <remarks>Secrets are kept and looked up by their HMAC under a key of this process: how long that takes tells nothing of how near a guess
/// was.</remarks>
public sealed class ClientCredentials
{
    private readonly byte[] _key = RandomNumberGenerator.GetBytes(32);
    private readonly Dictionary<Mac, string> _names = [];
    private readonly SortedSet<ClientScheme> _schemes = [];

    /// <summary>What a client that is not known is told to do: the value of <c>WWW-Authenticate</c>.</summary>
    public StringValues Challenge =>
        new([.. _schemes.Select(
        scheme => scheme is ClientScheme.Basic ? "Basic realm=\"trustix-proxy\", charset=\"UTF-8\"" : "Bearer realm=\"trustix-proxy\"")]);

    /// <summary>Lets a client in; false when another one has the same secret.</summary>
    /// <param name="scheme">How it says who it is.</param>
    /// <param name="name">Its name; no colon.</param>
    /// <param name="secret">Its password or token.</param>
    public bool TryAdd(ClientScheme scheme, string name, string secret)
    {
        _schemes.Add(scheme);
        return _names.TryAdd(MacOf(scheme, Encoding.UTF8.GetBytes(scheme is ClientScheme.Basic ? $"{name}:{secret}" : secret)), name);
    }

    /// <summary>Who a request is from; null when it shows no secret that is known.</summary>
    /// <param name="authorization">Its <c>Authorization</c> headers.</param>
    public string? Find(StringValues authorization)
    {
        var header = authorization.Count is 1 ? authorization[0] : null;
        var space = header?.IndexOf(' ', StringComparison.Ordinal) ?? -1;
        if (space < 0 || !TryReadScheme(header.AsSpan(0, space), out var scheme))
        {
            return null;
        }

        var shown = header.AsSpan(space + 1).Trim(' ');
        var bytes = new byte[Encoding.UTF8.GetMaxByteCount(shown.Length)];
        var length = 0;
        if (scheme is ClientScheme.Bearer)
        {
            length = Encoding.UTF8.GetBytes(shown, bytes);
        }
        else if (!Convert.TryFromBase64Chars(shown, bytes, out length))
        {
            return null;
        }

        return _names.GetValueOrDefault(MacOf(scheme, bytes.AsSpan(0, length)));
    }

    private static bool TryReadScheme(ReadOnlySpan<char> text, out ClientScheme scheme)
    {
        scheme = text.Equals("Basic", StringComparison.OrdinalIgnoreCase) ? ClientScheme.Basic : ClientScheme.Bearer;
        return scheme is ClientScheme.Basic || text.Equals("Bearer", StringComparison.OrdinalIgnoreCase);
    }

    private Mac MacOf(ClientScheme scheme, ReadOnlySpan<byte> secret)
    {
        Span<byte> mac = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(_key, [(byte)scheme, .. secret], mac);
        return new Mac(BitConverter.ToUInt128(mac), BitConverter.ToUInt128(mac[16..]));
    }

    private readonly record struct Mac(UInt128 First, UInt128 Second);
}
