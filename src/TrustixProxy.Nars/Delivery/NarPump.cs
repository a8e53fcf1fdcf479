using System.Security.Cryptography;
using TrustixProxy.Nars.Store;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Delivery;

/// <summary>Copies one upstream's file into its body; the verifier checks every byte.</summary>
/// <remarks>
/// <code>
/// source ──chunks──┬──▶ <see cref="NarBody"/>, for readers
///                  ├──▶ <see cref="NarVerifier"/>, on another thread
///                  ├──▶ hash of the file, unless the verifier computes it
///                  └──▶ copy for the NAR store
/// </code></remarks>
/// <param name="body">Receives the bytes.</param>
/// <param name="known">The file it must equal, if that makes decompression unnecessary; else null.</param>
internal sealed class NarPump(NarOrder order, NarBody body, KnownFile? known)
{
    private readonly string _compression = body.Source.ServedCompression;

    /// <summary>Receives a copy for the store; null when none is kept.</summary>
    public NarStoreWriter.Write? Copy { get; init; }

    /// <summary>Whether a file hash other than the URL's is a fault, because another upstream may have the right file.</summary>
    public bool MustBeSameFile { get; init; }

    /// <summary>Called with a compressed file that was decompressed and verified.</summary>
    public Action<KnownFile> OnVerified { get; init; } = _ => { };

    /// <summary>Returns the maximum size of the file, in bytes.</summary>
    public static long MostBytes(NarOrder order, KnownFile? known) => known?.Size ?? MostBytes(order.Claim.NarSize);

    /// <summary>Returns the maximum size of a file that holds a NAR of this size, in bytes.</summary>
    public static long MostBytes(long narSize)
    {
        var size = Math.Min(narSize, long.MaxValue / 2);
        return size + (size / 16) + (1 << 20);
    }

    /// <summary>Runs until the verdict.</summary>
    public async Task<NarVerdict> RunAsync(Stream source, CancellationToken cancellation)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var check = known is null ? new NarCheck(order.Claim, order.MustMatch) : null;
        var verifier = check is null ? NarVerifier.OfFile(known!, body.Advance) : NarVerifier.OfNar(check, _compression, body.Advance);
        var watching = EndWithAsync(verifier, end);
        try
        {
            return await PumpAsync(source, verifier, end.Token) with { Sent = check?.Sent };
        }
        catch (NarRefusedException refused)
        {
            return new NarVerdict(refused.Fault, null);
        }
        catch (InvalidDataException)
        {
            return new NarVerdict(NarFault.Compression, null);
        }
        catch (OperationCanceledException) when (verifier.Verdict is { IsCompletedSuccessfully: true, Result: { } fault })
        {
            return new NarVerdict(fault, null) { Sent = check?.Sent };
        }
        finally
        {
            Copy?.Abandon(); // no effect once completed
            await verifier.DisposeAsync();
            await watching;
        }
    }

    /// <summary>Cancels the reading as soon as the verifier finds a fault.</summary>
    private static async Task EndWithAsync(NarVerifier verifier, CancellationTokenSource end)
    {
        await verifier.Verdict.ContinueWith(
            _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        await end.CancelAsync();
    }

    private async Task<NarVerdict> PumpAsync(Stream source, NarVerifier verifier, CancellationToken cancellation)
    {
        var servedHash = known?.Hash ?? (_compression is NarCompression.None ? order.Claim.NarHash : null);
        using var hash = servedHash is null ? IncrementalHash.CreateHash(HashAlgorithmName.SHA256) : null;
        var (position, most) = (0L, body.Length ?? MostBytes(order, known));
        while (true)
        {
            if (!await body.TryMakeRoomAsync(cancellation))
            {
                return new NarVerdict(NarFault.FileHash, null); // not the file that its readers have begun
            }

            var chunk = body.Open();
            try
            {
                var read = await source.ReadAsync(chunk.Room, cancellation);
                if (read is 0)
                {
                    break;
                }

                position += read;
                if (position > most)
                {
                    return new NarVerdict(known is null ? NarFault.TooLong : NarFault.FileHash, null);
                }

                var piece = body.Fill(chunk, read);
                Copy?.Append(piece);
                hash?.AppendData(piece.Bytes.Span);
                if (await verifier.AppendAsync(piece, cancellation) is { } fault)
                {
                    return new NarVerdict(fault, null);
                }
            }
            finally
            {
                chunk.Drop();
            }
        }

        return await verifier.CompleteAsync() is { } wrong ? new NarVerdict(wrong, null)
            : position < body.Length ? new NarVerdict(NarFault.TooShort, null)
            : Conclude(servedHash ?? NixHash.Sha256(hash!.GetHashAndReset()), position, hash is not null);
    }

    private NarVerdict Conclude(NixHash fileHash, long size, bool isNew)
    {
        if (isNew)
        {
            OnVerified(new KnownFile(fileHash, size));
        }

        Copy?.Complete(fileHash);
        return new NarVerdict(MustBeSameFile && fileHash != order.FileHash ? NarFault.FileHash : null, fileHash);
    }
}
