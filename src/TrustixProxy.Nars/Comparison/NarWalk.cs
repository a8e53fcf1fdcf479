using System.Security.Cryptography;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Comparison;

/// <summary>Walks a streaming NAR node by node and hashes it; keeps one buffer in memory.</summary>
internal sealed class NarWalk : IAsyncDisposable
{
    /// <summary>Maximum silence of the source.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly NarSource _source;
    private readonly NarReader _reader;
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly List<byte[]> _path = [];
    private readonly byte[] _buffer = new byte[64 << 10];
    private readonly CancellationTokenSource _silence;
    private Stream? _nar;
    private int _start, _end;
    private long _contents; // remaining bytes of the node's contents

    /// <param name="source">Opens the NAR.</param>
    /// <param name="allowsCaseHack">As for <see cref="NarReader"/>.</param>
    /// <param name="cancellation">Ends the walk.</param>
    public NarWalk(NarSource source, bool allowsCaseHack, CancellationToken cancellation)
    {
        (_source, _reader) = (source, new NarReader(allowsCaseHack));
        _silence = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
    }

    /// <summary>The names from the root to the node; empty for the root.</summary>
    public byte[][] Path { get; private set; } = [];

    /// <summary>The current node; null after the last.</summary>
    public NarNode? Node { get; private set; }

    /// <summary>A link's target, byte for byte.</summary>
    public byte[] Target { get; private set; } = [];

    /// <summary>Number of NAR bytes read.</summary>
    public long Size { get; private set; }

    /// <summary>Offset in the NAR of what follows the current node's header: of a file, its contents.</summary>
    public long Offset => Size - (_end - _start);

    /// <summary>The NAR's hash, available after the last node.</summary>
    public NixHash? NarHash { get; private set; }

    /// <summary>Moves to the next node in archive order: a directory before its entries, entries in byte order of their names.</summary>
    /// <exception cref="NarUnreadableException">The NAR is truncated, or contradicts its claim.</exception>
    public async Task MoveNextAsync()
    {
        _contents = 0;
        Node = null;
        while (Node is null && await FillAsync())
        {
            Check(_reader.Read(_buffer.AsSpan(_start.._end), out var taken, out var happened));
            _start += taken;
            Handle(happened);
        }

        if (Node is null)
        {
            Complete();
        }
    }

    /// <summary>Reads more of the file's contents; fills the buffer unless the file ends first. Returns 0 at its end.</summary>
    /// <exception cref="NarUnreadableException">The NAR is truncated.</exception>
    public async Task<int> ReadContentsAsync(Memory<byte> buffer)
    {
        var filled = 0;
        while (filled < buffer.Length && _contents > 0)
        {
            if (!await FillAsync())
            {
                Check(NarError.Truncated);
            }

            var bytes = _buffer.AsMemory(_start, (int)Math.Min(_contents, Math.Min(_end - _start, buffer.Length - filled)));
            Check(_reader.Append(bytes.Span));
            bytes.CopyTo(buffer[filled..]);
            (_start, _contents, filled) = (_start + bytes.Length, _contents - bytes.Length, filled + bytes.Length);
        }

        return filled;
    }

    public async ValueTask DisposeAsync()
    {
        _hash.Dispose();
        _silence.Dispose();
        if (_nar is not null)
        {
            await _nar.DisposeAsync();
        }
    }

    private void Handle(NarEvent happened)
    {
        switch (happened)
        {
            case NarEvent.Entry:
                _path.Add(_reader.Word.ToArray());
                break;
            case NarEvent.Directory:
                Show(new NarNode(NarNodeKind.Directory, false, 0, null));
                break;
            case NarEvent.File:
                _contents = _reader.FileSize;
                Show(new NarNode(NarNodeKind.File, _reader.IsExecutable, _reader.FileSize, null));
                break;
            case NarEvent.Symlink:
                Target = _reader.Word.ToArray();
                Show(new NarNode(NarNodeKind.Symlink, false, 0, Printable.Of(Target)));
                break;
            case NarEvent.Close when _path.Count > 0:
                _path.RemoveAt(_path.Count - 1);
                break;
        }
    }

    private void Show(NarNode node) => (Node, Path) = (node, [.. _path]);

    private void Complete()
    {
        Check(_reader.Complete());
        NarHash = NixHash.Sha256(_hash.GetHashAndReset());
        if (_source.NarHash is { } said && said != NarHash)
        {
            throw new NarUnreadableException(
                _source.Name, $"is not the declared one: its hash is {NarHash} instead of {said}");
        }
    }

    /// <summary>Reads if the buffer is empty; returns whether bytes are available.</summary>
    private async Task<bool> FillAsync()
    {
        if (_start < _end)
        {
            return true;
        }

        try
        {
            _silence.CancelAfter(Patience);
            _nar ??= await _source.OpenAsync(_silence.Token);
            (_start, _end) = (0, await _nar.ReadAsync(_buffer, _silence.Token));
            _silence.CancelAfter(Timeout.InfiniteTimeSpan); // this walk may now wait for the other
        }
        catch (Exception exception)
            when (exception is IOException or HttpRequestException or InvalidDataException or UnauthorizedAccessException)
        {
            throw new NarUnreadableException(
                _source.Name, $"cannot be read: {Printable.Of(System.Text.Encoding.UTF8.GetBytes(exception.Message))}");
        }
        catch (OperationCanceledException)
        {
            throw new NarUnreadableException(_source.Name, "did not arrive: the download was stopped, or no data came for 30 s");
        }

        Size += _end;
        _hash.AppendData(_buffer, 0, _end);
        return Size <= (_source.NarSize ?? long.MaxValue) ? _end > 0
            : throw new NarUnreadableException(_source.Name, $"has more than the declared {_source.NarSize:N0} bytes");
    }

    private void Check(NarError error)
    {
        if (error is not NarError.None)
        {
            throw new NarUnreadableException(_source.Name, $"is not a NAR ({error})");
        }
    }
}
