using System.Security.Cryptography;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Storage;

namespace TrustixProxy.Substituter.Upstreams;

/// <summary>Which bytes of a body go to the client.</summary>
/// <param name="Start">The first, from 0.</param>
/// <param name="End">The one after the last.</param>
internal readonly record struct ByteRange(long Start, long End)
{
    public static ByteRange All { get; } = new(0, long.MaxValue);
}

/// <summary>A file that was once seen to hold the agreed NAR.</summary>
/// <param name="Hash">Its SHA-256.</param>
/// <param name="Size">Its length in bytes.</param>
internal sealed record KnownFile(NixHash Hash, long Size);

/// <summary>A NAR on its way to the client, verified beside it. What is last in the hand is let go only when everything before it, and it, is the agreed NAR.</summary>
/// <remarks>
/// <code>
/// source ──chunks──▶ held (up to 256 KiB before the first byte leaves, one chunk after that) ──▶ client
///            ├─────▶ <see cref="NarVerifier"/>, on another thread
///            └─────▶ hash of the file, where that is not what is verified
/// </code>
/// A NAR that fits into what is held is wholly verified before a byte leaves. Bytes outside the range are verified and dropped. Nothing here grows with the NAR: 2 MiB, and the window of the compression.</remarks>
internal sealed class VerifyingNarStream : ReadOnlyStream
{
    private const int Window = 256 << 10, Enough = 8 << 10;

    private readonly Stream _source;
    private readonly ByteRange _range;
    private readonly long _maxSize;
    private readonly NarVerifier _verifier;
    private readonly NixHash? _servedHash; // known beforehand, if the verdict is good
    private readonly IncrementalHash? _fileHash;
    private readonly Queue<NarChunk> _held = new();
    private readonly Lock _holding = new();
    private NarChunk? _tail, _lastHeld;
    private long _position, _sent;
    private bool _isComplete, _isDisposed;
    private Task? _filling; // one that was begun, and not waited for to its end

    /// <param name="source">The bytes to pass on, from the first; disposed with this stream.</param>
    /// <param name="compression">How they are compressed.</param>
    /// <param name="claim">What was agreed on.</param>
    /// <param name="range">Which of them go to the client.</param>
    /// <param name="mustMatch">The content address that the NAR must have; null when the claim is vouched for.</param>
    /// <param name="known">The file that they must be, when one is known to hold the NAR; then only its hash is looked at.</param>
    public VerifyingNarStream(Stream source, string compression, OutputClaim claim, ByteRange range, ContentAddress? mustMatch = null, KnownFile? known = null)
    {
        (_source, _range, Known, _sent) = (source, range, known, range.Start);
        _maxSize = known?.Size ?? claim.NarSize + (claim.NarSize / 16) + (1 << 20);
        _servedHash = known?.Hash ?? (compression is NarCompression.None ? claim.NarHash : null);
        _fileHash = _servedHash is null ? IncrementalHash.CreateHash(HashAlgorithmName.SHA256) : null;
        _verifier = known is null ? NarVerifier.OfNar(new NarCheck(claim, mustMatch), compression) : NarVerifier.OfFile(known.Hash);
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

    /// <summary>Told of a compressed file that was decompressed and found to hold the NAR.</summary>
    public Action<KnownFile> OnVerified { get; init; } = _ => { };

    /// <summary>Hash of the source's bytes; null before they were verified.</summary>
    public NixHash? FileHash { get; private set; }

    /// <summary>How many bytes the source must have, when the client has been promised that: what is held back lies within the promise, never past its end.</summary>
    public long? Promised { get; init; }

    /// <summary>When set, the source's bytes must have this hash too.</summary>
    public NixHash? RequiredFileHash { get; init; }

    /// <summary>Takes a copy of all bytes, and is told when they are verified; null when none is taken.</summary>
    public NarStoreWriter.Write? Copy { get; init; }

    /// <summary>Whether reading the source is work: then it is done on the thread pool, whichever thread asks for it.</summary>
    public bool IsDecoding { get; init; }

    private KnownFile? Known { get; }

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
            if (!_isDisposed)
            {
                UpstreamMetrics.NarEnded(_sent - _range.Start, isVerified: _isComplete);
            }

            Copy?.Abandon();
            _verifier.Dispose();
            _source.Dispose();
            lock (_holding)
            {
                _isDisposed = true;
                _tail?.Drop();
                _tail = null;
                while (_held.TryDequeue(out var chunk))
                {
                    chunk.Drop();
                }
            }

            if (_filling is null)
            {
                _fileHash?.Dispose();
            }
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
        lock (_holding)
        {
            var chunk = _held.Peek();
            var count = chunk.CopyTo(buffer, _sent, _range.End);
            _sent += count;
            if (_sent == Math.Min(chunk.End, _range.End))
            {
                _held.Dequeue().Drop();
            }

            return count;
        }
    }

    /// <summary>Reads once, has it verified, and keeps what is in the range. At the end: the verdict.</summary>
    private async Task FillAsync(CancellationToken cancellation)
    {
        var chunk = Open();
        try
        {
            if (IsDecoding)
            {
                await Task.Yield();
            }

            var read = await _source.ReadAsync(chunk.Room, cancellation);
            if (read is 0)
            {
                Fault = await CompleteAsync();
                _isComplete = Fault is null;
                return;
            }

            if (_position + read > (Promised ?? _maxSize))
            {
                Fault = Known is null ? NarFault.TooLong : NarFault.FileHash;
                return;
            }

            var piece = Take(chunk, read);
            Copy?.Append(piece);
            _fileHash?.AppendData(piece.Bytes.Span);
            Fault = await _verifier.AppendAsync(piece, cancellation);
        }
        catch (NarRefusedException)
        {
            Fault = NarFault.BrokenOff;
        }
        catch (InvalidDataException)
        {
            Fault = NarFault.Compression;
        }
        finally
        {
            chunk.Drop();
        }
    }

    /// <summary>The chunk that is read into, held for the reader.</summary>
    private NarChunk Open()
    {
        lock (_holding)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            if (_tail is not { HasRoom: true })
            {
                _tail?.Drop();
                _tail = new NarChunk(_position);
            }

            _tail.Hold();
            return _tail;
        }
    }

    /// <summary>Takes in what was read. No chunk in the queue is without bytes for the client, so the last one always holds something back.</summary>
    private NarChunk.Piece Take(NarChunk chunk, int read)
    {
        lock (_holding)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            var piece = chunk.Fill(read);
            var isWanted = _position < _range.End && _position + read > _range.Start;
            _position += read;
            if (isWanted && !ReferenceEquals(_lastHeld, chunk))
            {
                chunk.Hold();
                _held.Enqueue(_lastHeld = chunk);
            }

            return piece;
        }
    }

    private async ValueTask<NarFault?> CompleteAsync()
    {
        if (await _verifier.CompleteAsync() is { } fault)
        {
            return fault;
        }

        FileHash = _servedHash ?? NixHash.Sha256(_fileHash!.GetHashAndReset());
        if (_position < Promised)
        {
            return NarFault.TooShort;
        }

        if (_fileHash is not null)
        {
            OnVerified(new KnownFile(FileHash, _position));
        }

        Copy?.Complete(FileHash);
        return RequiredFileHash is null || RequiredFileHash == FileHash ? null : NarFault.FileHash;
    }
}
