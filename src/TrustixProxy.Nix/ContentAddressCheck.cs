using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace TrustixProxy.Nix;

/// <summary>Checks a streaming NAR against a content address. <see cref="NarReader"/> checks the grammar.</summary>
/// <remarks>Flat and text hash the contents of the one regular, non-executable file in it. Other methods hash the NAR itself, with each
/// occurrence of the path's own digest as 32 zero bytes, followed by <c>|offset</c> for each, in decimal. Source: nix <c>references.cc</c>,
/// <c>HashModuloSink</c>.</remarks>
public sealed class ContentAddressCheck : IDisposable
{
    private static readonly byte[] FileStart = Start();

    private readonly ContentAddress _address;
    private readonly byte[] _digest;
    private readonly IncrementalHash _hash;
    private readonly List<long> _places = [];
    private readonly byte[] _head = new byte[FileStart.Length + 8];
    private byte[] _rest = [];
    private long _position, _length = -1;
    private bool _isOther;

    /// <exception cref="ArgumentException">The address cannot be checked while streaming.</exception>
    public ContentAddressCheck(ContentAddress address, StorePath path)
    {
        (_address, _digest) = (address.IsCheckable ? address : throw new ArgumentException(
            $"'{address}' cannot be checked.", nameof(address)), Encoding.ASCII.GetBytes(path.Digest.ToString()));
        _hash = IncrementalHash.CreateHash(
            address.Hash.Algorithm is NixHashAlgorithm.Sha512 ? HashAlgorithmName.SHA512 : HashAlgorithmName.SHA256);
    }

    private bool IsOfFile => _address.Method is ContentAddressMethod.Flat or ContentAddressMethod.Text;

    /// <summary>Hashes the next bytes of the NAR.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        if (IsOfFile)
        {
            AppendFile(bytes);
        }
        else
        {
            AppendArchive(bytes);
        }
    }

    /// <summary>Ends the NAR; returns whether it has the address.</summary>
    public bool Complete()
    {
        _hash.AppendData(_rest);
        foreach (var place in _places)
        {
            _hash.AppendData(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"|{place}")));
        }

        var isWhole = !IsOfFile || (!_isOther && _length >= 0 && _position >= _head.Length + _length);
        return _hash.GetHashAndReset().AsSpan().SequenceEqual(_address.Hash.Bytes) && isWhole;
    }

    /// <inheritdoc/>
    public void Dispose() => _hash.Dispose();

    private static byte[] Start()
    {
        using var nar = new MemoryStream();
        new NarWriter(nar).File([]);
        return nar.ToArray()[..^24]; // up to the contents' length and the closing word
    }

    private void AppendFile(ReadOnlySpan<byte> bytes)
    {
        if (_position < _head.Length)
        {
            var count = (int)Math.Min(bytes.Length, _head.Length - _position);
            bytes[..count].CopyTo(_head.AsSpan((int)_position));
            _position += count;
            bytes = bytes[count..];
            if (_position < _head.Length)
            {
                return;
            }

            _isOther = !_head.AsSpan(0, FileStart.Length).SequenceEqual(FileStart);
            _length = BinaryPrimitives.ReadInt64LittleEndian(_head.AsSpan(FileStart.Length));
        }

        var left = Math.Clamp(_head.Length + _length - _position, 0, bytes.Length);
        _hash.AppendData(bytes[..(int)left]);
        _position += bytes.Length;
    }

    /// <summary>Hashes all bytes except a possible beginning of the digest, which is kept for the next call.</summary>
    private void AppendArchive(ReadOnlySpan<byte> bytes)
    {
        byte[] joined = [.. _rest, .. bytes];
        for (var found = 0; joined.AsSpan(found).IndexOf(_digest) is var next and >= 0;)
        {
            found += next;
            _places.Add(_position + found);
            joined.AsSpan(found, _digest.Length).Clear();
        }

        var done = Math.Max(0, joined.Length - (_digest.Length - 1));
        _hash.AppendData(joined.AsSpan(0, done));
        (_position, _rest) = (_position + done, joined[done..]);
    }
}
