using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Primitives;

namespace TrustixProxy.Substituter.FrontDoor;

/// <summary>Authentication scheme of a client. Source: RFC 7617 and RFC 6750.</summary>
public enum ClientScheme
{
    /// <summary>Name and password, as Nix sends from its netrc file.</summary>
    Basic,

    /// <summary>A token.</summary>
    Bearer,
}

/// <summary>Credentials of the clients allowed to connect.</summary>
/// <remarks>Secrets are stored and looked up by HMAC under a per-process key, so timing reveals nothing about a guess.</remarks>
public sealed class ClientCredentials
{
    private readonly byte[] _key = RandomNumberGenerator.GetBytes(32);
    private readonly Dictionary<Mac, string> _names = [];
    private readonly SortedSet<ClientScheme> _schemes = [];

    /// <summary>Value of <c>WWW-Authenticate</c> for unknown clients.</summary>
    public StringValues Challenge =>
        new([.. _schemes.Select(
        scheme => scheme is ClientScheme.Basic ? "Basic realm=\"trustix-proxy\", charset=\"UTF-8\"" : "Bearer realm=\"trustix-proxy\"")]);

    /// <summary>Adds a client; false if another has the same secret.</summary>
    /// <param name="scheme">Its authentication scheme.</param>
    /// <param name="name">Its name; no colon.</param>
    /// <param name="secret">Its password or token.</param>
    public bool TryAdd(ClientScheme scheme, string name, string secret)
    {
        _schemes.Add(scheme);
        return _names.TryAdd(MacOf(scheme, Encoding.UTF8.GetBytes(scheme is ClientScheme.Basic ? $"{name}:{secret}" : secret)), name);
    }

    /// <summary>Identifies the client of a request; null without known credentials.</summary>
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
