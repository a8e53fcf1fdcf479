using System.Buffers;
using System.IO.Pipelines;
using System.Security.Cryptography;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Upstreams;

/// <summary>Which bytes of a body go to the client.</summary>
/// <param name="Start">The first, from 0.</param>
/// <param name="End">The one after the last.</param>
internal readonly record struct ByteRange(long Start, long End)
{
    public static ByteRange All { get; } = new(0, long.MaxValue);
}

/// <summary>A NAR on its way to the client, hashed as it passes. What is last in the hand is let go only when everything before it, and it, is the agreed NAR.</summary>
/// <remarks>
/// <code>
/// source ──chunks──▶ held (up to 256 KiB before the first byte leaves, one chunk after that) ──▶ client
///            └─────▶ hash of the file;  pipe ──▶ decompressed beside ──▶ size, hash and grammar of the NAR
/// </code>
/// A NAR that fits into what is held is wholly verified before a byte leaves. Bytes outside the range are verified and dropped.</remarks>
internal sealed class VerifyingNarStream : ReadOnlyStream
{
    private const int ChunkSize = 64 << 10, Window = 256 << 10, Enough = 8 << 10;

    private readonly Stream _source;
    private readonly NarCheck _check;
    private readonly ByteRange _range;
    private readonly long _maxSize;
    private readonly IncrementalHash _fileHash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly Pipe? _beside;
    private readonly Task<NarFault?>? _decoded;
    private readonly byte[] _buffer = ArrayPool<byte>.Shared.Rent(ChunkSize);
    private readonly Queue<Chunk> _held = new();
    private Chunk? _tail;
    private long _position;
    private bool _isComplete;
    private Task? _filling; // one that was begun, and not waited for to its end

    /// <param name="source">The bytes to pass on, from the first; disposed with this stream.</param>
    /// <param name="compression">How they are compressed.</param>
    /// <param name="claim">What was agreed on.</param>
    /// <param name="range">Which of them go to the client.</param>
    /// <param name="mustMatch">The content address that the NAR must have; null when the claim is vouched for.</param>
    public VerifyingNarStream(Stream source, string compression, OutputClaim claim, ByteRange range, ContentAddress? mustMatch = null)
    {
        (_source, _check, _range) = (source, new NarCheck(claim, mustMatch), range);
        _maxSize = claim.NarSize + (claim.NarSize / 16) + (1 << 20);
        if (compression is not NarCompression.None)
        {
            _beside = new Pipe(new PipeOptions(pauseWriterThreshold: 1 << 20, resumeWriterThreshold: 512 << 10, useSynchronizationContext: false));
            _decoded = Task.Run(() => DecodeAsync(compression, _beside.Reader));
        }
    }

    /// <summary>Why the NAR is refused; null when it is not, or not yet.</summary>
    public NarFault? Fault
    {
        get;
        private set
        {
            field = value;
            if (value is { } fault)
            {
                OnFault(fault);
            }
        }
    }

    /// <summary>Told of a fault before the client can notice it.</summary>
    public Action<NarFault> OnFault { get; init; } = _ => { };

    /// <summary>Hash of the source's bytes; null before the NAR was verified.</summary>
    public NixHash? FileHash { get; private set; }

    /// <summary>How many bytes the source must have, when the client has been promised that: what is held back lies within the promise, never past its end.</summary>
    public long? Promised { get; init; }

    /// <summary>When set, the source's bytes must have this hash too.</summary>
    public NixHash? RequiredFileHash { get; init; }

    /// <summary>Reads ahead until the NAR is verified or refused, or as much is held as fits. When time is up, what is held has to be enough to show that bytes come; else the source counts as broken off.</summary>
    /// <param name="limit">Ends when time is up.</param>
    /// <param name="cancellation">Ends when the client has gone.</param>
    public async Task PrimeAsync(CancellationToken limit, CancellationToken cancellation)
    {
        var end = Task.Delay(Timeout.Infinite, limit);
        while (!_isComplete && Fault is null && _position < Window && !end.IsCompleted)
        {
            _filling ??= FillAsync(cancellation);
            if (await Task.WhenAny(_filling, end) == _filling)
            {
                await FinishFillingAsync();
            }
        }

        if (!_isComplete && _position < Enough)
        {
            Fault ??= NarFault.BrokenOff;
        }
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            if (Fault is { } fault)
            {
                throw new NarRefusedException(fault);
            }

            if (_held.Count > (_isComplete ? 0 : 1))
            {
                return Release(buffer.Span);
            }

            if (_isComplete)
            {
                return 0;
            }

            _filling ??= FillAsync(cancellationToken);
            await FinishFillingAsync();
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _beside?.Writer.Complete(new NarRefusedException(NarFault.BrokenOff));
            _source.Dispose();
            _fileHash.Dispose();
            if (_decoded is null)
            {
                _check.Dispose();
            }

            if (_filling is null)
            {
                ArrayPool<byte>.Shared.Return(_buffer);
            }

            foreach (var chunk in _held)
            {
                ArrayPool<byte>.Shared.Return(chunk.Bytes);
            }

            _held.Clear();
        }

        base.Dispose(disposing);
    }

    private async Task FinishFillingAsync()
    {
        await _filling!;
        _filling = null;
    }

    private int Release(Span<byte> buffer)
    {
        var chunk = _held.Peek();
        var count = Math.Min(buffer.Length, chunk.End - chunk.Start);
        chunk.Bytes.AsSpan(chunk.Start, count).CopyTo(buffer);
        chunk.Start += count;
        if (chunk.Start == chunk.End)
        {
            ArrayPool<byte>.Shared.Return(_held.Dequeue().Bytes);
        }

        return count;
    }

    /// <summary>Reads once, hashes what came, and keeps what is in the range. At the end: the verdict.</summary>
    private async Task FillAsync(CancellationToken cancellation)
    {
        try
        {
            var read = await _source.ReadAsync(_buffer.AsMemory(0, ChunkSize), cancellation);
            if (read is 0)
            {
                Fault = await CompleteAsync();
                _isComplete = Fault is null;
                return;
            }

            var bytes = _buffer.AsMemory(0, read);
            _fileHash.AppendData(bytes.Span);
            Fault = _position + read > (Promised ?? _maxSize) ? NarFault.TooLong : await CheckAsync(bytes, cancellation);
            var start = (int)Math.Clamp(_range.Start - _position, 0, read);
            var end = (int)Math.Clamp(_range.End - _position, start, read);
            Hold(bytes.Span[start..end]);
            _position += read;
        }
        catch (NarRefusedException)
        {
            Fault = NarFault.BrokenOff;
        }
        catch (InvalidDataException)
        {
            Fault = NarFault.Compression;
        }
    }

    private async ValueTask<NarFault?> CheckAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        if (_beside is null)
        {
            return _check.Append(bytes.Span);
        }

        var flushed = await _beside.Writer.WriteAsync(bytes, cancellation);
        return flushed.IsCompleted ? await _decoded! : null;
    }

    private async ValueTask<NarFault?> CompleteAsync()
    {
        if (_beside is not null)
        {
            await _beside.Writer.CompleteAsync();
        }

        var fault = _decoded is null ? _check.Complete() : await _decoded;
        FileHash = fault is null ? NixHash.Sha256(_fileHash.GetHashAndReset()) : null;
        fault ??= _position < Promised ? NarFault.TooShort : null;
        return fault ?? (RequiredFileHash is null || RequiredFileHash == FileHash ? null : NarFault.FileHash);
    }

    private async Task<NarFault?> DecodeAsync(string compression, PipeReader reader)
    {
        using var check = _check;
        var buffer = ArrayPool<byte>.Shared.Rent(ChunkSize);
        try
        {
            await using var decoded = NarCompression.Open(compression, reader.AsStream());
            while (await decoded.ReadAsync(buffer) is var read and > 0)
            {
                if (check.Append(buffer.AsSpan(0, read)) is { } fault)
                {
                    return fault;
                }
            }

            return check.Complete();
        }
        catch (Exception exception) when (exception is InvalidDataException or NarRefusedException)
        {
            return NarFault.Compression; // damaged, or this stream was given up
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Keeps bytes for the client. No chunk in the queue is empty, so the last one always holds something back.</summary>
    private void Hold(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            if (_tail is null || _tail.End == ChunkSize || _held.Count is 0)
            {
                _tail = new Chunk(ArrayPool<byte>.Shared.Rent(ChunkSize));
                _held.Enqueue(_tail);
            }

            var count = Math.Min(bytes.Length, ChunkSize - _tail.End);
            bytes[..count].CopyTo(_tail.Bytes.AsSpan(_tail.End));
            _tail.End += count;
            bytes = bytes[count..];
        }
    }

    private sealed class Chunk(byte[] bytes)
    {
        public byte[] Bytes { get; } = bytes;

        public int Start { get; set; }

        public int End { get; set; }
    }
}
