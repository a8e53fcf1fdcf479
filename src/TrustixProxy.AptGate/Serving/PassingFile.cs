using System.IO.Pipelines;
using System.Security.Cryptography;
using TrustixProxy.AptGate.Archives;
using TrustixProxy.AptGate.Indexes;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.AptGate.Serving;

/// <summary>Looks at a whole file while it passes: hashes it, and has an index read it.</summary>
/// <param name="length">The length that the archive names; null when it names none.</param>
internal sealed class PassingFile(long? length) : IAsyncDisposable
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly TaskCompletionSource<bool> _isWhole = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Pipe? _index;
    private long _passed;

    /// <summary>SHA-256 of the file; null unless it passed whole.</summary>
    public Digest? Sha256 { get; private set; }

    /// <summary>Has an index read the file.</summary>
    public void ReadInto(IndexReadings readings, PassingIndex index)
    {
        _index = new Pipe(new PipeOptions(pauseWriterThreshold: 1 << 20, resumeWriterThreshold: 1 << 19, useSynchronizationContext: false));
        readings.Begin(index, _index.Reader.AsStream(), _isWhole.Task);
    }

    /// <summary>Looks at bytes that pass.</summary>
    public async ValueTask PassAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        _passed += bytes.Length;
        _hash.AppendData(bytes.Span);
        if (_index is not null)
        {
            await _index.Writer.WriteAsync(bytes, cancellation); // waits for the reader; one that gave up reads no more
        }
    }

    /// <summary>Says that the archive has sent all.</summary>
    public void Complete()
    {
        if (length is null || length == _passed)
        {
            Sha256 = new Digest(_hash.GetHashAndReset());
            _isWhole.TrySetResult(true);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _isWhole.TrySetResult(false);
        _hash.Dispose();
        if (_index is not null)
        {
            await _index.Writer.CompleteAsync();
        }
    }
}
