using System.Threading.RateLimiting;

namespace TrustixProxy.Substituter.Clients;

/// <summary>An answer's body that goes out no faster than its client may be served.</summary>
/// <param name="body">Where it goes.</param>
/// <param name="bytes">What bounds it.</param>
/// <param name="client">Whose it is.</param>
/// <param name="atOnce">The most bytes that are waited for together: no more than any limit has.</param>
internal sealed class MeteredStream(Stream body, PartitionedRateLimiter<string> bytes, string client, int atOnce) : Stream
{
    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        for (; !buffer.IsEmpty; buffer = buffer[Math.Min(atOnce, buffer.Length)..])
        {
            var part = buffer[..Math.Min(atOnce, buffer.Length)];
            using var lease = await bytes.AcquireAsync(client, part.Length, cancellationToken);
            await body.WriteAsync(part, cancellationToken);
        }
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task FlushAsync(CancellationToken cancellationToken) => body.FlushAsync(cancellationToken);

    public override void Flush() => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
