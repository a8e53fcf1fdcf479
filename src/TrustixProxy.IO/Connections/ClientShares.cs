namespace TrustixProxy.IO.Connections;

/// <summary>Counts each client's concurrent connections or requests. Forgets clients that have none.</summary>
public sealed class ClientShares
{
    private readonly Lock _lock = new();
    private readonly Dictionary<ClientAddress, int> _counts = [];

    /// <summary>Counts one more; false, and not counted, when the client already has <paramref name="most"/>.</summary>
    public bool TryTake(ClientAddress client, int most)
    {
        lock (_lock)
        {
            var count = _counts.GetValueOrDefault(client);
            if (count >= most)
            {
                return false;
            }

            _counts[client] = count + 1;
            return true;
        }
    }

    /// <summary>Releases what <see cref="TryTake"/> counted.</summary>
    public void Return(ClientAddress client)
    {
        lock (_lock)
        {
            var left = _counts[client] - 1;
            if (left is 0)
            {
                _counts.Remove(client);
            }
            else
            {
                _counts[client] = left;
            }
        }
    }
}
