using System.Buffers;
using System.Security.Cryptography;
using System.Threading.Channels;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Upstreams;

/// <summary>Verifies a file beside its way to the client: on another thread, and some pieces behind at the most.</summary>
/// <remarks>
/// <code>
/// pieces ──up to 1 MiB──▶ not compressed: size, hash and grammar of the NAR
///                         compressed: decompressed, then the same
///                         known to hold the NAR: the file's own hash, and nothing is decompressed
/// </code></remarks>
internal sealed class NarVerifier : IDisposable
{
    private const int MaxPieces = 16;

    private readonly Channel<NarChunk.Piece> _pieces = Channel.CreateBounded<NarChunk.Piece>(new BoundedChannelOptions(MaxPieces) { SingleReader = true, SingleWriter = true });
    private readonly Task<NarFault?> _verdict;

    private NarVerifier(Func<ChannelReader<NarChunk.Piece>, Task<NarFault?>> verify) => _verdict = Task.Run(async () =>
    {
        try
        {
            return await verify(_pieces.Reader);
        }
        finally
        {
            _pieces.Writer.TryComplete(); // who still adds is told the verdict
            while (_pieces.Reader.TryRead(out var piece))
            {
                piece.Chunk.Drop();
            }
        }
    });

    /// <summary>Verifies that the bytes are a NAR, compressed or not.</summary>
    public static NarVerifier OfNar(NarCheck check, string compression) =>
        new(pieces => compression is NarCompression.None ? CheckAsync(pieces, check) : check.TakeAsync(new PieceStream(pieces), compression, CancellationToken.None));

    /// <summary>Verifies that the bytes are a file that is known to hold the NAR.</summary>
    public static NarVerifier OfFile(NixHash fileHash) => new(pieces => HashAsync(pieces, fileHash));

    /// <summary>Takes the next bytes; gives a fault once there is one.</summary>
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
            return await _verdict;
        }
        catch (OperationCanceledException)
        {
            piece.Chunk.Drop();
            throw;
        }
    }

    /// <summary>Says that no bytes follow; gives the verdict.</summary>
    public Task<NarFault?> CompleteAsync()
    {
        _pieces.Writer.TryComplete();
        return _verdict;
    }

    /// <summary>Gives up: what was verified so far ends as if it were all.</summary>
    public void Dispose() => _pieces.Writer.TryComplete();

    private static async Task<NarFault?> CheckAsync(ChannelReader<NarChunk.Piece> pieces, NarCheck check)
    {
        using var owned = check;
        while (await pieces.WaitToReadAsync())
        {
            while (pieces.TryRead(out var piece))
            {
                var fault = check.Append(piece.Bytes.Span);
                piece.Chunk.Drop();
                if (fault is not null)
                {
                    return fault;
                }
            }
        }

        return check.Complete();
    }

    private static async Task<NarFault?> HashAsync(ChannelReader<NarChunk.Piece> pieces, NixHash fileHash)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        while (await pieces.WaitToReadAsync())
        {
            while (pieces.TryRead(out var piece))
            {
                hash.AppendData(piece.Bytes.Span);
                piece.Chunk.Drop();
            }
        }

        return NixHash.Sha256(hash.GetHashAndReset()) == fileHash ? null : NarFault.FileHash;
    }

    /// <summary>The pieces as a stream.</summary>
    private sealed class PieceStream(ChannelReader<NarChunk.Piece> pieces) : ReadOnlyStream
    {
        private NarChunk.Piece? _current;
        private ReadOnlyMemory<byte> _rest;

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
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

            var count = Math.Min(buffer.Length, _rest.Length);
            _rest.Span[..count].CopyTo(buffer.Span);
            _rest = _rest[count..];
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
