using System.Security.Cryptography;
using System.Threading.Channels;
using TrustixProxy.IO.Streams;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars;

/// <summary>Reports how many bytes of a file the verifier has read, and how many of them may be sent before the verdict.</summary>
internal delegate void VerifierProgress(long taken, long released);

/// <summary>Verifies a file while it is sent, on another thread and at most a few pieces behind.</summary>
/// <remarks>
/// <code>
/// pieces ──at most 16──▶ not compressed: size, hash and grammar of the NAR
///                        compressed: decompressed, then the same
///                        known to hold the NAR: the file's hash only
/// </code></remarks>
internal sealed class NarVerifier : IAsyncDisposable
{
    private const int MaxPieces = 16;

    private readonly Channel<NarChunk.Piece> _pieces =
        Channel.CreateBounded<NarChunk.Piece>(new BoundedChannelOptions(MaxPieces) { SingleReader = true, SingleWriter = true });

    private readonly CancellationTokenSource _end = new();

    private NarVerifier(Func<ChannelReader<NarChunk.Piece>, CancellationToken, Task<NarFault?>> verify) => Verdict = Task.Run(async () =>
    {
        try
        {
            return await verify(_pieces.Reader, _end.Token);
        }
        finally
        {
            _pieces.Writer.TryComplete(); // later appends return the verdict
            while (_pieces.Reader.TryRead(out var piece))
            {
                piece.Chunk.Drop();
            }
        }
    });

    /// <summary>Completes with the verdict: at the first fault, else after <see cref="CompleteAsync"/>.</summary>
    public Task<NarFault?> Verdict { get; }

    /// <summary>Verifies that the bytes are a NAR, compressed or not. Disposes the check.</summary>
    public static NarVerifier OfNar(NarCheck check, string compression, VerifierProgress progress) =>
        compression is NarCompression.None
            ? new((pieces, end) => CheckAsync(pieces, check, progress, end))
            : new((pieces, end) => check.TakeAsync(new PieceStream(pieces, check, progress), compression, end));

    /// <summary>Verifies that the bytes are a file known to hold the NAR.</summary>
    public static NarVerifier OfFile(KnownFile file, VerifierProgress progress) =>
        new((pieces, end) => HashAsync(pieces, file, progress, end));

    /// <summary>Queues the next bytes; returns the fault once there is one.</summary>
    public async ValueTask<NarFault?> AppendAsync(NarChunk.Piece piece, CancellationToken cancellation)
    {
        try
        {
            await _pieces.Writer.WriteAsync(piece, cancellation);
            return null;
        }
        catch (ChannelClosedException)
        {
            piece.Chunk.Drop();
            return await Verdict;
        }
        catch (OperationCanceledException)
        {
            piece.Chunk.Drop();
            throw;
        }
    }

    /// <summary>Ends the file; returns the verdict.</summary>
    public Task<NarFault?> CompleteAsync()
    {
        _pieces.Writer.TryComplete();
        return Verdict;
    }

    /// <summary>Cancels, and waits until the decoder is no longer in use.</summary>
    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _pieces.Writer.TryComplete();
        await Verdict.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        _end.Dispose();
    }

    private static async Task<NarFault?> CheckAsync(
        ChannelReader<NarChunk.Piece> pieces, NarCheck check, VerifierProgress progress, CancellationToken end)
    {
        using var owned = check;
        while (await pieces.WaitToReadAsync(end))
        {
            while (pieces.TryRead(out var piece))
            {
                var fault = check.Append(piece.Bytes.Span);
                piece.Chunk.Drop();
                if (fault is not null)
                {
                    return fault;
                }

                progress(check.Taken, ReleaseBound.Of(check.NarSize, check.Taken));
            }
        }

        return check.Complete();
    }

    private static async Task<NarFault?> HashAsync(
        ChannelReader<NarChunk.Piece> pieces, KnownFile file, VerifierProgress progress, CancellationToken end)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var taken = 0L;
        while (await pieces.WaitToReadAsync(end))
        {
            while (pieces.TryRead(out var piece))
            {
                hash.AppendData(piece.Bytes.Span);
                taken += piece.Count;
                piece.Chunk.Drop();
                progress(taken, ReleaseBound.Of(file.Size, taken));
            }
        }

        return NixHash.Sha256(hash.GetHashAndReset()) == file.Hash ? null : NarFault.FileHash;
    }

    /// <summary>Presents the pieces as a stream to a decoder. When the decoder asks for more, it has read all before. If it holds back no
    /// output, that may be sent.</summary>
    private sealed class PieceStream(ChannelReader<NarChunk.Piece> pieces, NarCheck check, VerifierProgress progress) : ReadOnlyStream
    {
        private NarChunk.Piece? _current;
        private ReadOnlyMemory<byte> _rest;
        private long _taken, _released;

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            _released = check.IsDrained && ReleaseBound.Allows(check.NarSize, check.Taken) ? _taken : _released;
            progress(_taken, _released);
            while (_rest.IsEmpty)
            {
                DropCurrent();
                if (!await pieces.WaitToReadAsync(cancellationToken))
                {
                    return 0;
                }

                if (pieces.TryRead(out var piece))
                {
                    (_current, _rest) = (piece, piece.Bytes);
                }
            }

            cancellationToken.ThrowIfCancellationRequested();
            var count = Math.Min(buffer.Length, _rest.Length);
            _rest.Span[..count].CopyTo(buffer.Span);
            _rest = _rest[count..];
            _taken += count;
            return count;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                DropCurrent();
            }

            base.Dispose(disposing);
        }

        private void DropCurrent()
        {
            _current?.Chunk.Drop();
            _current = null;
        }
    }
}
