using System.Buffers;
using System.Text;

namespace TrustixProxy.Substituter.Pipelining;

/// <summary>What the header lines of one request say about its body, its client and its connection.</summary>
/// <param name="sender">The client whose requests are looked for.</param>
internal ref struct HeaderFields(SenderHeaders sender)
{
    // The characters of a token: RFC 9110, section 5.6.2.
    private static readonly SearchValues<byte> NameCharacters =
        SearchValues.Create("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"u8);

    private static readonly SearchValues<byte> HostCharacters =
        SearchValues.Create("-.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"u8);

    private static readonly SearchValues<byte> AddressCharacters = SearchValues.Create("0123456789abcdefABCDEF:."u8);

    private int _count, _hosts, _credentials, _forwarders;
    private bool _areOthers;

    /// <summary>Whether they contain what every request must.</summary>
    public readonly bool AreWhole => _hosts is 1;

    /// <summary>Whether the connection closes after the answer.</summary>
    public bool EndConnection { get; private set; }

    /// <summary>Whether they name the expected client.</summary>
    public readonly bool AreOfSender => !_areOthers && _credentials == (sender.Authorization.Length > 0 ? 1 : 0)
        && _forwarders == (sender.ForwardedFor.Length > 0 ? 1 : 0);

    /// <summary>Takes a header line; false if a body or another protocol may follow, or the server may read the line differently.</summary>
    /// <param name="line">The line without its end; not empty.</param>
    public bool TryTake(scoped ReadOnlySpan<byte> line)
    {
        var colon = line.IndexOf((byte)':');
        return colon > 0 && ++_count <= RequestHead.MaxHeaderCount && !line[..colon].ContainsAnyExcept(NameCharacters)
            && TryTake(line[..colon], line[(colon + 1)..].Trim(" \t"u8));
    }

    private bool TryTake(scoped ReadOnlySpan<byte> name, scoped ReadOnlySpan<byte> value)
    {
        if (Is(name, "content-length"u8) || Is(name, "transfer-encoding"u8) || Is(name, "expect"u8) || Is(name, "upgrade"u8))
        {
            return false;
        }

        if (Is(name, "connection"u8))
        {
            EndConnection |= Is(value, "close"u8);
            return EndConnection || Is(value, "keep-alive"u8);
        }

        if (Is(name, "host"u8))
        {
            _hosts++;
            return IsHost(value);
        }

        if (Is(name, "authorization"u8))
        {
            _credentials++;
            _areOthers |= !Ascii.Equals(value, sender.Authorization);
        }
        else if (Is(name, "x-forwarded-for"u8))
        {
            _forwarders++;
            _areOthers |= !Ascii.Equals(value, sender.ForwardedFor);
        }
        else if (Is(name, "user-agent"u8))
        {
            _areOthers |= value.StartsWith("trustix-proxy/"u8); // such a request may be a loop
        }

        return true;
    }

    /// <summary>Whether a value is a name or an address, with or without a port.</summary>
    private static bool IsHost(scoped ReadOnlySpan<byte> value)
    {
        var bracket = value.LastIndexOf((byte)']');
        var colon = value.LastIndexOf((byte)':');
        var end = colon > bracket ? colon : value.Length;
        if (end < value.Length && (end + 1 == value.Length || value[(end + 1)..].ContainsAnyExceptInRange((byte)'0', (byte)'9')))
        {
            return false;
        }

        return value[..end] is [(byte)'[', .. var address, (byte)']']
            ? address.Length > 0 && !address.ContainsAnyExcept(AddressCharacters)
            : end > 0 && !value[..end].ContainsAnyExcept(HostCharacters);
    }

    private static bool Is(ReadOnlySpan<byte> text, ReadOnlySpan<byte> lower) =>
        text.Length == lower.Length && Ascii.EqualsIgnoreCase(text, lower);
}
